/** The cgroups of one container: making them, entering, limits, what is in them, and their end. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { Resources } from '../../oci/runtime-spec.ts';
import { attachDeviceProgram } from '../../sys/bpf.ts';
import { pause } from '../pause.ts';
import { killQuietly } from '../kill-quietly.ts';
import { RuntimeError } from '../runtime-error.ts';
import { deviceProgram } from './device-program.ts';
import { type FullRule, ruleLine } from './device-rules.ts';
import type { Hierarchies } from './hierarchies.ts';
import { filesOfV1, filesOfV2, type ResourceFile } from './resource-files.ts';

/** As it is kept with the container. */
export interface CgroupRecord {
  readonly version: 0 | 1 | 2;
  /** Controller (`''` for version 2) -> folder. */
  readonly folders: Readonly<Record<string, string>>;
  /** Those of them that were made for the container: they go with it. */
  readonly ours: readonly string[];
  /** The systemd unit that they belong to. */
  readonly unit?: string;
}

export const NO_CGROUPS: CgroupRecord = { version: 0, folders: {}, ours: [] };

/** How long processes that were killed may take to be gone. */
const REMOVAL_MS = 5000;

export class ContainerCgroups {
  readonly record: CgroupRecord;

  constructor(record: CgroupRecord) {
    this.record = record;
  }

  /**
   * Makes the folders for a cgroups path: an absolute one counts from the root of each hierarchy, a relative one from
   * the caller's own cgroup. One that is there already is used, and left there in the end.
   */
  static make(hierarchies: Hierarchies, path: string): ContainerCgroups {
    const folders = cgroupFolders(hierarchies, path);
    const ours: string[] = [];
    try {
      for (const folder of new Set(Object.values(folders))) {
        if (makeFolders(folder, folders['cpuset'] === folder)) ours.push(folder);
      }
    } catch (error) {
      for (const folder of ours) removeQuietly(folder);
      throw error;
    }
    return new ContainerCgroups({ version: hierarchies.version, folders, ours });
  }

  /** Moves a process in, with all its threads. */
  enter(pid: number): void {
    for (const folder of new Set(Object.values(this.record.folders))) {
      writeFileSync(join(folder, 'cgroup.procs'), String(pid));
    }
  }

  limit(resources: Resources): void {
    if (this.record.version === 1) {
      for (const file of filesOfV1(resources)) this.#writeV1(file, resources);
    } else if (this.record.version === 2) {
      const files = filesOfV2(resources);
      const controllers = new Set(files.map(({ controller }) => controller));
      enableControllers(this.#unified, controllers);
      for (const { name, value, optional } of files) write(this.#unified, name, value, optional);
    }
  }

  /** From now on only these devices can be opened. */
  limitDevices(rules: readonly FullRule[]): void {
    if (this.record.version === 2) {
      const cgroup = openSync(this.#unified, 'r');
      try {
        attachDeviceProgram(cgroup, deviceProgram(rules));
      } finally {
        closeSync(cgroup);
      }
      return;
    }
    const folder = this.record.folders['devices'];
    if (folder === undefined) return;
    write(folder, 'devices.deny', 'a');
    for (const rule of rules) write(folder, rule.allow ? 'devices.allow' : 'devices.deny', ruleLine(rule));
  }

  /** All processes in the container's cgroups and those below. */
  processes(): number[] {
    const folder = this.#any;
    if (folder === undefined) return [];
    return [folder, ...descendants(folder)].flatMap((path) =>
      (readOptional(join(path, 'cgroup.procs')) ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .map(Number),
    );
  }

  get canFreeze(): boolean {
    return this.record.version === 2 || this.record.folders['freezer'] !== undefined;
  }

  isFrozen(): boolean {
    if (this.record.version === 2) return readOptional(join(this.#unified, 'cgroup.freeze'))?.trim() === '1';
    const folder = this.record.folders['freezer'];
    if (folder === undefined) return false;
    const state = readOptional(join(folder, 'freezer.state'))?.trim();
    return state === 'FROZEN' || state === 'FREEZING';
  }

  freeze(frozen: boolean): void {
    const { version, folders } = this.record;
    if (version === 2) {
      write(this.#unified, 'cgroup.freeze', frozen ? '1' : '0');
      until(
        () =>
          /^frozen (\d)$/m.exec(readOptional(join(this.#unified, 'cgroup.events')) ?? '')?.[1] === (frozen ? '1' : '0'),
      );
      return;
    }
    const folder = folders['freezer'];
    if (folder === undefined) throw new RuntimeError('cannot pause a container without a freezer cgroup');
    const wanted = frozen ? 'FROZEN' : 'THAWED';
    until(() => {
      // A process that forks meanwhile keeps version 1 at FREEZING until it is asked again.
      write(folder, 'freezer.state', wanted);
      return readOptional(join(folder, 'freezer.state'))?.trim() === wanted;
    });
  }

  /** Kills what is left and removes what was made for the container. */
  remove(): void {
    const { ours, version } = this.record;
    if (ours.length === 0) return;
    for (const start = performance.now(); ; pause(2)) {
      const left = ours.filter((folder) => existsSync(folder));
      for (const folder of left) {
        if (tryRemove(folder)) continue;
        if (version === 2) write(folder, 'cgroup.kill', '1', true);
        for (const pid of new ContainerCgroups({ ...this.record, folders: { '': folder } }).processes())
          killQuietly(pid);
      }
      if (left.every((folder) => !existsSync(folder))) return;
      if (performance.now() - start > REMOVAL_MS) {
        throw new RuntimeError(`cannot remove the cgroup ${left.find((folder) => existsSync(folder))}: it is in use`);
      }
    }
  }

  #writeV1({ controller, name, value, optional }: ResourceFile, { memory }: Resources): void {
    const folder = this.record.folders[controller];
    if (folder === undefined) {
      if (optional === true) return;
      throw new RuntimeError(`cannot set ${name}: this host has no ${controller} cgroups`);
    }
    try {
      write(folder, name, value, optional);
    } catch (error) {
      // Memory may not exceed memory and swap together, so which of them goes first depends on what they were.
      if (name !== 'memory.limit_in_bytes' || memory?.swap === undefined || errorCode(error) !== 'EINVAL') throw error;
      write(folder, 'memory.memsw.limit_in_bytes', String(memory.swap));
      write(folder, name, value);
    }
  }

  get #unified(): string {
    return this.record.folders['']!;
  }

  /** A folder that has all of the container's processes. */
  get #any(): string | undefined {
    const { folders } = this.record;
    return folders[''] ?? folders['pids'] ?? folders['memory'] ?? folders['devices'] ?? Object.values(folders)[0];
  }
}

/** Where the cgroups of a path are, by controller (`''` for version 2), whether they have been made or not. */
export function cgroupFolders(hierarchies: Hierarchies, path: string): Record<string, string> {
  const places =
    hierarchies.version === 1
      ? hierarchies.hierarchies
      : hierarchies.version === 2
        ? [{ ...hierarchies, controllers: [''] }]
        : [];
  const folders: Record<string, string> = {};
  for (const { controllers, mountPoint, own } of places) {
    const folder = path.startsWith('/') ? below(mountPoint, path) : below(own, path);
    for (const controller of controllers) folders[controller] = folder;
  }
  return folders;
}

/** A path of an engine's may hold `..`, which must not lead out. */
function below(root: string, path: string): string {
  return join(root, join('/', path));
}

/** Makes a folder and those above it; returns whether it was missing. */
function makeFolders(folder: string, isCpuset: boolean): boolean {
  if (existsSync(folder)) return false;
  const above = dirname(folder);
  if (!existsSync(above)) makeFolders(above, isCpuset);
  mkdirSync(folder);
  if (isCpuset) {
    // A new cpuset of version 1 has no processors, and nobody can enter it.
    for (const name of ['cpuset.cpus', 'cpuset.mems']) {
      const inherited = readOptional(join(above, name))?.trim() ?? '';
      if (inherited !== '' && readOptional(join(folder, name))?.trim() === '') write(folder, name, inherited);
    }
  }
  return true;
}

/** cgroup-v2.rst, "Top-down Constraint": a controller must be handed on by every cgroup above. */
function enableControllers(folder: string, controllers: ReadonlySet<string>): void {
  const wanted = [...controllers].filter((name) => !['cgroup', ''].includes(name));
  if (wanted.length === 0) return;
  const chain: string[] = [];
  for (let path = dirname(folder); existsSync(join(path, 'cgroup.controllers')); path = dirname(path)) chain.push(path);
  for (const path of chain.toReversed()) {
    const has = readOptional(join(path, 'cgroup.subtree_control')) ?? '';
    for (const name of wanted) {
      if (!has.split(/\s+/).includes(name)) writeQuietly(join(path, 'cgroup.subtree_control'), `+${name}`);
    }
  }
}

function write(folder: string, name: string, value: string, optional = false): void {
  const path = join(folder, name);
  try {
    // Without O_CREAT, so that a file that the kernel does not have is ENOENT and not EACCES.
    writeFileSync(path, value, { flag: 'r+' });
  } catch (error) {
    const code = errorCode(error);
    if (optional && (code === 'ENOENT' || code === 'EOPNOTSUPP')) return;
    throw new RuntimeError(`cannot write ${JSON.stringify(value)} to ${path}: ${(error as Error).message}`);
  }
}

function writeQuietly(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {
    // What is missing then, the write of the limit itself says.
  }
}

function until(holds: () => boolean): void {
  for (let turn = 0; !holds(); turn++) {
    if (turn === 1000) throw new RuntimeError('the freezer did not come to its state within some seconds');
    pause(Math.min(1 + turn, 10));
  }
}

function descendants(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => [...descendants(join(path, entry.name)), join(path, entry.name)]);
  } catch {
    return [];
  }
}

function tryRemove(folder: string): boolean {
  try {
    for (const path of [...descendants(folder), folder]) rmdirSync(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    if (errorCode(error) === 'EBUSY') return false;
    throw new RuntimeError(`cannot remove the cgroup ${basename(folder)}: ${(error as Error).message}`);
  }
}

function removeQuietly(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // The error that is under way says more.
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
