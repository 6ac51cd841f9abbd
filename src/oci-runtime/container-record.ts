/**
 * What the runtime remembers of a container between calls: a folder below `--root`, its name the container's id.
 *
 *   state.json    ContainerRecord; without it the container's creation was cut short
 *   config.json   the runtime spec as it was when the container was created
 *   start.sock    where the container waits for `start`; gone once it has been started
 *   start.plan    what the launcher does for `start`, delete.plan for `delete`, by means of monitor (bundle-call-plans.ts);
 *   start.failed  and the record of a start that failed that way
 *   notify/       the socket of sd_notify(3), where the caller has one
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';
import { monitorBinary } from '../base/install.ts';
import type { Hooks } from '../oci/runtime-spec.ts';
import { deletePlan, startPlan } from '../runtime/bundle-call-plans.ts';
import { isAlive, type ProcessIdentity, processIdentity } from '../sys/process-identity.ts';
import type { CgroupRecord } from './cgroup/container-cgroups.ts';
import { RuntimeError } from './runtime-error.ts';

export interface ContainerRecord {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly owner: number;
  readonly init?: ProcessIdentity;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hooks: Hooks;
  readonly cgroup: CgroupRecord;
  /** CLONE_NEW* flags of the namespaces that are not the caller's own. */
  readonly namespaces: number;
  readonly hasPidNamespace: boolean;
  /** The spec has a process to start. */
  readonly hasProcess: boolean;
  /** What the operations from `startsAt` on do, for the message of the one that fails. */
  readonly startsAt: number;
  readonly startActions: readonly string[];
  /** Where sd_notify(3) messages go on to. */
  readonly notifySocket?: string;
}

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

export const START_SOCKET = 'start.sock';
const START_PLAN = 'start.plan';
const START_FAILED = 'start.failed';

/** The folder of a container; its id has been checked. */
export class ContainerFolder {
  readonly path: string;
  readonly id: string;

  constructor(root: string, id: string) {
    this.id = checkedId(id);
    this.path = join(root, id);
  }

  /** Makes it: there can be only one of the name. */
  make(): void {
    mkdirSync(join(this.path, '..'), { recursive: true, mode: 0o711 });
    try {
      mkdirSync(this.path, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') throw new RuntimeError(`container with id exists: ${this.id}`);
      throw error;
    }
  }

  get startSocket(): string {
    return join(this.path, START_SOCKET);
  }

  get configPath(): string {
    return join(this.path, 'config.json');
  }

  keepConfig(path: string): void {
    copyFileSync(path, this.configPath);
  }

  write(record: ContainerRecord): void {
    // Of the run-time folder nothing outlives the machine: a rename is enough, without fsync(2).
    const temporary = join(this.path, '.state.json');
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, join(this.path, 'state.json'));
  }

  /** Leaves plans for what it takes no more than the launcher to do. Folders that a socket's address may not name have none. */
  writeCallPlans(record: ContainerRecord): void {
    const { hooks, cgroup, init } = record;
    const { startContainer = [], poststart = [], poststop = [] } = hooks;
    symlinkSync(monitorBinary(), join(this.path, 'monitor'));
    if (startContainer.length + poststart.length === 0 && record.hasProcess && record.notifySocket === undefined) {
      const names = { startSocket: START_SOCKET, failure: START_FAILED, plan: START_PLAN };
      writeFileSync(join(this.path, START_PLAN), startPlan({ folder: this.path, ...names }).encode());
    }
    if (poststop.length === 0 && cgroup.unit === undefined && init !== undefined) {
      writeFileSync(join(this.path, 'delete.plan'), deletePlan(this.path, init.pid, cgroup.ours).encode());
    }
  }

  /** The record that a start by the launcher has left, where it failed. */
  startFailure(): Buffer | undefined {
    try {
      return readFileSync(join(this.path, START_FAILED));
    } catch {
      return undefined;
    }
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** Throws where there is no such container. A container whose creation was cut short has a folder alone: undefined. */
  readOptional(): ContainerRecord | undefined {
    if (!this.exists()) throw new RuntimeError('container does not exist');
    return readRecord(join(this.path, 'state.json'));
  }

  read(): ContainerRecord {
    const record = this.readOptional();
    if (record === undefined) throw new RuntimeError(`container ${this.id} has not been created to the end: delete it`);
    return record;
  }

  remove(): void {
    // Renamed away first, so that nobody sees a container in part.
    const gone = join(this.path, '..', `.${this.id}.${process.pid}.gone`);
    try {
      renameSync(this.path, gone);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    rmSync(gone, { recursive: true, force: true });
  }
}

/** All containers below `root`. */
export function containerFolders(root: string): ContainerFolder[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names.filter((name) => isId(name)).map((name) => new ContainerFolder(root, name));
}

/** What the container is doing, but for `paused`, which its cgroup knows. */
export function statusOf(folder: ContainerFolder, record: ContainerRecord): Exclude<Status, 'paused'> {
  if (record.init === undefined) return 'creating';
  if (!isAlive(record.init)) return 'stopped';
  return existsSync(folder.startSocket) ? 'created' : 'running';
}

/** The identity of a process that has just been cloned; throws where it has ended already. */
export function identify(pid: number): ProcessIdentity {
  const identity = processIdentity(pid);
  if (identity === undefined) throw new RuntimeError('container process ended before it was ready');
  return identity;
}

function readRecord(path: string): ContainerRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ContainerRecord;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isId(name: string): boolean {
  return /^[\w+.-]+$/.test(name) && !name.startsWith('.');
}

/** As runc has it: letters, digits, and `_+-.`; a name that is a path of its own would leave the root. */
function checkedId(id: string): string {
  if (id === '') throw new RuntimeError('container id cannot be empty');
  if (!isId(id) || id.length > 1024) throw new RuntimeError(`invalid container id: ${JSON.stringify(id)}`);
  return id;
}
