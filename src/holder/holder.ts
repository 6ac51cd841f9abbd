/**
 * The holder: one sleeping process per user that keeps the user's namespaces and a few fds. Everything that runs
 * containers joins or takes what it keeps; it does nothing by itself. Its death orphans what was joined to it: the next
 * command makes a new one.
 */
import { execFile } from 'node:child_process';
import { accessSync, closeSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { mapArguments, mapText, type IdExtent } from '../base/id-extents.ts';
import { LaunchError } from '../monitor/record.ts';
import { startMonitor } from '../monitor/start.ts';
import { readJson, writeJson } from '../state/atomic-file.ts';
import { takeLock } from '../state/lock.ts';
import type { StatePaths } from '../state/paths.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { isAlive, processIdentity, type ProcessIdentity } from '../sys/process-identity.ts';
import { holderPlan, mountsFolder } from './holder-plan.ts';
import { findIdMap, type IdMap } from './id-map.ts';

const run = promisify(execFile);

/** What is known of the running holder, in `run/holder.json`. */
export interface Holder {
  readonly process: ProcessIdentity;
  readonly map: IdMap;
}

/** The running holder, or undefined. */
export function findHolder(paths: StatePaths): Holder | undefined {
  const holder = readJson<Holder>(join(paths.run, 'holder.json'));
  return holder !== undefined && isAlive(holder.process) ? holder : undefined;
}

/** The user's holder, started if there is none. */
export async function ensureHolder(paths: StatePaths): Promise<Holder> {
  const found = findHolder(paths);
  if (found !== undefined) return found;
  using _lock = await takeLock(join(paths.run, 'holder.lock'));
  const now = findHolder(paths);
  if (now !== undefined) return now;

  mkdirSync(mountsFolder(paths), { recursive: true, mode: 0o700 });
  return await startHolder(paths, findIdMap(findMapTools() !== undefined));
}

/** A duplicate of one of the holder's fds (HOLDER_FD). Throws EBADF where it could not open it. The caller closes it. */
export function takeHolderFd(holder: Holder, fd: number): number {
  const pidfd = pidfdOpen(holder.process.pid);
  try {
    return pidfdGetfd(pidfd, fd);
  } finally {
    closeSync(pidfd);
  }
}

/** Paths of newuidmap and newgidmap, or undefined where one is missing. */
export function findMapTools(env = process.env): { uid: string; gid: string } | undefined {
  const [uid, gid] = ['newuidmap', 'newgidmap'].map((name) =>
    [...(env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/bin']
      .map((folder) => join(folder, name))
      .find(isExecutable),
  );
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function startHolder(paths: StatePaths, map: IdMap): Promise<Holder> {
  const monitor = startMonitor(holderPlan(paths));
  const pid = monitor.child.pid;
  try {
    if (pid === undefined) throw new Error('Cannot start the holder process');
    await monitor.next();
    await writeMap(pid, map);
    monitor.go();
    if ((await monitor.next()) === undefined) throw new Error('The holder process ended while it started');
    const identity = processIdentity(pid);
    if (identity === undefined) throw new Error('The holder process ended while it started');
    const holder = { process: identity, map };
    writeJson(join(paths.run, 'holder.json'), holder);
    monitor.go();
    await monitor.next();
    return holder;
  } catch (error) {
    monitor.child.kill('SIGKILL');
    monitor.close();
    if (map.kind !== 'range' || !(error instanceof MapError)) throw explained(error);
    // A host whose newuidmap may not do its work (no setuid bit, nosuid mount) still runs containers with one id.
    return startHolder(paths, {
      kind: 'single',
      uid: single(map.uid),
      gid: single(map.gid),
      reason: error.message,
      isUnexpected: true,
    });
  }
}

/** Inside a container it is that one's seccomp filter, as a rule, that forbids it. */
function explained(error: unknown): unknown {
  if (!(error instanceof LaunchError) || error.action !== 'create a user namespace') return error;
  const mend = "'trun doctor' says what forbids it; inside a container, start that one with --privileged";
  return Object.assign(new Error(`${error.message}; ${mend}`, { cause: error }), { code: error.code });
}

function single(extents: readonly IdExtent[]): IdExtent[] {
  return extents.slice(0, 1);
}

/** newuidmap or newgidmap refused. */
class MapError extends Error {}

async function writeMap(pid: number, map: IdMap): Promise<void> {
  if (map.kind === 'range') {
    const tools = findMapTools();
    if (tools === undefined) throw new MapError('newuidmap and newgidmap are not installed');
    try {
      await Promise.all([
        run(tools.uid, [String(pid), ...mapArguments(map.uid)]),
        run(tools.gid, [String(pid), ...mapArguments(map.gid)]),
      ]);
    } catch (error) {
      throw new MapError(((error as { stderr?: string }).stderr ?? '').trim() || (error as Error).message);
    }
    return;
  }
  // user_namespaces(7): without privileges, a group map may be written once setgroups is given up.
  if (map.kind === 'single') writeFileSync(`/proc/${pid}/setgroups`, 'deny');
  writeFileSync(`/proc/${pid}/uid_map`, mapText(map.uid));
  writeFileSync(`/proc/${pid}/gid_map`, mapText(map.gid));
}
