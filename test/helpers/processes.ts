/** Finds and ends what a test left running, wherever it hides: other sessions, other namespaces, other uids. */
import { globSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { waitFor } from './wait-for.ts';

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** Empty for a zombie. */
  readonly command: string;
  readonly environment: string;
  /** The namespaces' identities, as in `user:[4026531837]`; undefined where we may not look. */
  readonly userNamespace: string | undefined;
  readonly pidNamespace: string | undefined;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** proc(5): `pid (name) state ppid …`; the name may hold spaces and parentheses. */
function readParent(pid: number): { parent: number; state: string } | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === undefined) return undefined;
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(parent), state: state! };
}

function readProcess(pid: number): ProcessInfo | undefined {
  const stat = readParent(pid);
  // A zombie is its parent's business and holds nothing.
  if (stat === undefined || stat.state === 'Z') return undefined;
  return {
    pid,
    parent: stat.parent,
    command: (attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '').replaceAll('\0', ' ').trim(),
    environment: attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? '',
    userNamespace: attempt(() => readlinkSync(`/proc/${pid}/ns/user`)),
    pidNamespace: attempt(() => readlinkSync(`/proc/${pid}/ns/pid`)),
  };
}

export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** proc(5), stat, field 22: tells a process from a later one with the same pid. */
function readStartTime(pid: number): number | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

/** Holders and keepers of mounts on record below `folder`: nothing else of theirs says whose they are. */
function recordedProcesses(folder: string): number[] {
  return globSync([`${folder}/**/holder.json`, `${folder}/**/mounts.d/*.json`]).flatMap((file) => {
    const text = attempt(() => readFileSync(file, 'utf8')) ?? '{}';
    type Identity = { pid: number; startTime: number };
    const { process: holder, keeper } = JSON.parse(text) as { process?: Identity; keeper?: Identity };
    const found = holder ?? keeper;
    return found !== undefined && readStartTime(found.pid) === found.startTime ? [found.pid] : [];
  });
}

/**
 * The processes that belong to `folder`: those that name it in their arguments or environment, those on record in it,
 * their descendants, and whoever shares a user namespace with one of these (PID 1 of a container has neither our
 * environment nor our parent).
 */
export function processesOf(folder: string): ProcessInfo[] {
  const all = listProcesses().filter(({ pid }) => pid !== process.pid);
  const own = attempt(() => readlinkSync('/proc/self/ns/user'));
  const found = new Set<ProcessInfo>();
  const pids = new Set<number>();
  const namespaces = new Set<string>();
  function add(each: ProcessInfo): void {
    found.add(each);
    pids.add(each.pid);
    if (each.userNamespace !== undefined && each.userNamespace !== own) namespaces.add(each.userNamespace);
  }
  const recorded = recordedProcesses(folder);
  for (const each of all) {
    if (each.command.includes(folder) || each.environment.includes(folder) || recorded.includes(each.pid)) add(each);
  }
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const each of all) {
      if (!found.has(each) && (pids.has(each.parent) || namespaces.has(each.userNamespace ?? ''))) add(each);
    }
  }
  return [...found];
}

/** Kills everything that belongs to `folder` and waits until it is gone. */
export async function killProcessesOf(folder: string): Promise<void> {
  await waitFor(
    `the processes of ${folder} to end`,
    () => {
      const left = processesOf(folder);
      for (const { pid } of left) attempt(() => process.kill(pid, 'SIGKILL'));
      return left.length === 0;
    },
    { timeout: 20_000, interval: 30 },
  );
}

export function isAlive(pid: number): boolean {
  const stat = readParent(pid);
  return stat !== undefined && stat.state !== 'Z';
}
