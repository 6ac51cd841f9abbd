import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CgroupLimits, limitFiles } from './limit-files.ts';
import { LimitsUnavailable } from './limits-unavailable.ts';
import { missingFile } from './mends.ts';

/** What a container uses; what a controller would know that is not there is absent. */
export interface CgroupStats {
  /** Bytes. */
  memory?: { current: number; peak?: number; limit?: number; swap?: number; inactiveFile: number };
  /** Microseconds of processor time since the start. */
  cpu: { usage: number; user: number; system: number };
  pids?: { current: number; limit?: number };
  /** Bytes since the start, over all devices. */
  io?: { read: number; written: number };
}

/** How long processes that were killed may take to be gone. */
const REMOVAL_MS = 5_000;

/** The cgroup of one container. Files of a cgroup answer from memory, so all of this is synchronous but the waiting. */
export class ContainerCgroup {
  /** The directory; its open fd goes with CLONE_INTO_CGROUP. */
  readonly path: string;

  /** `path` is a cgroup that exists. */
  constructor(path: string) {
    this.path = path;
  }

  /** Makes the cgroup and sets its limits; leaves none behind when one of them is refused. */
  static create(path: string, limits: CgroupLimits, oomGroup: boolean): ContainerCgroup {
    mkdirSync(path);
    const cgroup = new ContainerCgroup(path);
    try {
      cgroup.limit(limits);
      if (oomGroup) cgroup.#write('memory.oom.group', '1');
    } catch (error) {
      rmdirSync(path);
      throw error;
    }
    return cgroup;
  }

  get id(): string {
    return basename(this.path);
  }

  /** The file that a process writes its pid (or 0) to in order to be moved here. */
  get procsPath(): string {
    return join(this.path, 'cgroup.procs');
  }

  /** Sets limits; those absent stay as they are. */
  limit(limits: CgroupLimits): void {
    for (const { controller, name, value, optional, otherwise } of limitFiles(limits)) {
      if (this.#has(name)) this.#write(name, value);
      else if (otherwise !== undefined && this.#has(otherwise.name)) this.#write(otherwise.name, otherwise.value);
      else if (optional !== true) throw new LimitsUnavailable([controller], missingFile(otherwise?.name ?? name));
    }
  }

  /** Moves a process here, all its threads with it; both cgroups must be of one delegated subtree. */
  addProcess(pid: number): void {
    writeFileSync(this.procsPath, String(pid));
  }

  /** Pids of the processes in the cgroup, those in cgroups below it included. */
  processes(): number[] {
    return [this.path, ...descendants(this.path)].flatMap((path) => {
      const text = readOptional(path, 'cgroup.procs') ?? '';
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map(Number);
    });
  }

  /** How many processes the kernel has killed for want of memory, here and below. */
  oomKills(): number {
    return keyed(readOptional(this.path, 'memory.events'))['oom_kill'] ?? 0;
  }

  stats(): CgroupStats {
    const cpu = keyed(readOptional(this.path, 'cpu.stat'));
    const memory = this.#number('memory.current');
    const pids = this.#number('pids.current');
    const io = readOptional(this.path, 'io.stat');
    return {
      cpu: { usage: cpu['usage_usec'] ?? 0, user: cpu['user_usec'] ?? 0, system: cpu['system_usec'] ?? 0 },
      ...(memory === undefined
        ? {}
        : {
            memory: {
              current: memory,
              inactiveFile: keyed(readOptional(this.path, 'memory.stat'))['inactive_file'] ?? 0,
              ...defined('peak', this.#number('memory.peak')),
              ...defined('limit', this.#number('memory.max')),
              ...defined('swap', this.#number('memory.swap.current')),
            },
          }),
      ...(pids === undefined ? {} : { pids: { current: pids, ...defined('limit', this.#number('pids.max')) } }),
      ...(io === undefined ? {} : { io: { read: sumOf(io, 'rbytes'), written: sumOf(io, 'wbytes') } }),
    };
  }

  /** Freezes everything here and below (cgroup-v2.rst, cgroup.freeze). Returns false before Linux 5.2, which cannot. */
  async freeze(patience: number): Promise<boolean> {
    if (!existsSync(join(this.path, 'cgroup.freeze'))) return false;
    this.#write('cgroup.freeze', '1');
    const deadline = performance.now() + patience;
    while (keyed(readOptional(this.path, 'cgroup.events'))['frozen'] !== 1) {
      if (performance.now() > deadline) throw new Error(`the cgroup ${this.path} does not freeze`);
      await sleep(2);
    }
    return true;
  }

  /** Undoes it. */
  thaw(): void {
    if (existsSync(join(this.path, 'cgroup.freeze'))) this.#write('cgroup.freeze', '0');
  }

  /** SIGKILL to every process in the cgroup and below. */
  kill(): void {
    try {
      this.#write('cgroup.kill', '1');
    } catch (error) {
      // Before Linux 5.14. Processes may fork meanwhile: `remove` comes back here until none is left.
      if (!['ENOENT', 'EACCES'].includes(codeOf(error))) throw error;
      for (const pid of this.processes()) killQuietly(pid);
    }
  }

  /** Kills what is left and removes the cgroup with all below; a cgroup that is gone is fine. */
  async remove(): Promise<void> {
    for (const start = performance.now(); existsSync(this.path); await sleep(10)) {
      this.kill();
      try {
        for (const path of [...descendants(this.path), this.path]) rmdirSync(path);
        return;
      } catch (error) {
        const again = codeOf(error) === 'EBUSY' && performance.now() - start < REMOVAL_MS;
        if (!again && codeOf(error) !== 'ENOENT') throw error;
      }
    }
  }

  #has(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  #write(name: string, value: string): void {
    // Without O_CREAT, so that a file that the kernel does not have is ENOENT and not EACCES.
    writeFileSync(join(this.path, name), value, { flag: 'r+' });
  }

  /** The number in a file; undefined where there is no file, or `max` in it. */
  #number(name: string): number | undefined {
    const text = readOptional(this.path, name)?.trim();
    return text === undefined || text === 'max' ? undefined : Number(text);
  }
}

/** All cgroups below `path`, deepest first. */
function descendants(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => [...descendants(join(path, entry.name)), join(path, entry.name)]);
  } catch {
    return [];
  }
}

/** A "flat keyed" file: `key value` lines. */
function keyed(text: string | undefined): Record<string, number> {
  const entries = (text ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(entries.map(([key = '', value]) => [key, Number(value)]));
}

/** Sums a key of a "nested keyed" file: `device key=value key=value` lines. */
function sumOf(text: string, key: string): number {
  return [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce((sum, [, value]) => sum + Number(value), 0);
}

function defined<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>);
}

function readOptional(path: string, name: string): string | undefined {
  try {
    return readFileSync(join(path, name), 'utf8');
  } catch {
    return undefined;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
