/** Mounting content in the holder's namespaces, and having it served. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastingProcess } from '../base/install.ts';
import { mountsFolder } from '../holder/holder-plan.ts';
import { findHolder, type Holder } from '../holder/holder.ts';
import { LaunchError } from '../monitor/record.ts';
import { startMonitor } from '../monitor/start.ts';
import { takeLock, tryLock } from '../state/lock.ts';
import type { StatePaths } from '../state/paths.ts';
import { socketAddress } from '../state/socket-address.ts';
import { isAlive, processIdentity } from '../sys/process-identity.ts';
import { signalProcess } from '../sys/signal-process.ts';
import { FuseMissing } from './fuse-missing.ts';
import { keeperPlan, unmountPlan } from './keeper-plan.ts';
import {
  findMount,
  forgetMount,
  listMounts,
  serverOf,
  writeMount,
  type LayerQuota,
  type MountContent,
  type MountRecord,
  type ServerName,
} from './mount-record.ts';
import type { ServerCounters } from './server-counters.ts';

/**
 * Mounts `content` under `key` and has it served, or finds that it is. Returns the mount point, a path of the holder's
 * mount namespace. Content under one key is the same for ever. A mount belongs to its holder: after that one's death the
 * containers of old still use it, and a new holder knows nothing of it.
 */
export async function ensureMount(
  paths: StatePaths,
  holder: Holder,
  key: string,
  content: MountContent,
): Promise<string> {
  const server = serverOf(content);
  const name = `${key}${ofHolder(holder)}`;
  const found = findMount(paths, name);
  if (found !== undefined && isServed(paths, server)) return found.mountPoint;
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  const record = findMount(paths, name) ?? (await mount(paths, holder, name, content));
  await askServer(paths, server);
  return record.mountPoint;
}

/** Takes away what has been mounted under `key`. Containers that use it keep it until they end. */
export async function removeMount(paths: StatePaths, key: string): Promise<void> {
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  for (const record of listMounts(paths)) if (record.key.startsWith(`${key}-`)) await unmount(paths, record);
}

/**
 * Takes away what is mounted for holders that have ended: only containers that ran then may use it, so call this where
 * none runs.
 */
export async function removeOrphanedMounts(paths: StatePaths): Promise<void> {
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  // Under the lock: whoever mounts has put its holder on record before.
  const holder = findHolder(paths);
  for (const record of listMounts(paths)) {
    if (holder === undefined || !record.key.endsWith(ofHolder(holder))) await unmount(paths, record);
  }
}

/** The end of a mount's key that says whose it is. */
function ofHolder({ process }: Holder): string {
  return `-${process.startTime.toString(36)}`;
}

/** Takes everything away that is mounted. */
export async function removeAllMounts(paths: StatePaths): Promise<void> {
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  for (const record of listMounts(paths)) await unmount(paths, record);
}

async function unmount(paths: StatePaths, { key, keeper, mountPoint }: MountRecord): Promise<void> {
  try {
    await startMonitor(unmountPlan(keeper.pid, mountPoint)).next();
  } catch (error) {
    // It has been killed just now, and its namespace may be gone with it.
    if (!(error instanceof LaunchError) || isAlive(keeper)) throw error;
  }
  signalProcess(keeper, constants.signals.SIGKILL);
  forgetMount(paths, key);
}

async function mount(paths: StatePaths, holder: Holder, key: string, content: MountContent): Promise<MountRecord> {
  const mountPoint = join(mountsFolder(paths), key);
  const isRoot = content.kind === 'union';
  const monitor = startMonitor(
    keeperPlan({ holderPid: holder.process.pid, mountPoint, readonly: !isRoot, suid: isRoot }),
  );
  try {
    await monitor.next();
  } catch (error) {
    monitor.close();
    throw error instanceof LaunchError && FuseMissing.is(error) ? new FuseMissing(error) : error;
  }
  const keeper = monitor.child.pid === undefined ? undefined : processIdentity(monitor.child.pid);
  if (keeper === undefined) throw new Error(`Cannot mount ${mountPoint}: its keeper ended at once`);
  try {
    const record = { key, mountPoint, content, keeper };
    writeMount(paths, record);
    monitor.go();
    await monitor.next();
    return record;
  } catch (error) {
    monitor.child.kill('SIGKILL');
    monitor.close();
    throw error;
  }
}

function serverSocket(paths: StatePaths, server: ServerName): string {
  return join(paths.run, `${server}.sock`);
}

function serverLock(paths: StatePaths, server: ServerName): string {
  return join(paths.run, `${server}.lock`);
}

/** Whether a server holds its lock, as it does all its life. */
function isServed(paths: StatePaths, server: ServerName): boolean {
  const lock = tryLock(serverLock(paths, server));
  lock?.[Symbol.dispose]();
  return lock === undefined;
}

/** Starts the server unless one runs. It takes over whatever is mounted. */
export function ensureServer(paths: StatePaths, server: ServerName): void {
  const lock = tryLock(serverLock(paths, server));
  if (lock === undefined) return;
  try {
    rmSync(serverSocket(paths, server), { force: true });
    const log = openSync(join(paths.run, `${server}.log`), 'a', 0o600);
    // The lock is inherited: it is held from here on until the server's end, with no moment between.
    const [program, ...args] = lastingProcess('image-server', server, paths.run);
    const stdio = ['ignore' as const, log, log, lock.fd];
    const child = spawn(program, args, { stdio, detached: true, cwd: '/', env: {} });
    child.on('error', () => undefined);
    child.unref();
    closeSync(log);
  } finally {
    lock[Symbol.dispose]();
  }
}

/**
 * Gives the mounts under `key` another quota, which holds at once. Whoever serves them next reads it from the record.
 */
export async function setMountQuota(paths: StatePaths, key: string, quota: LayerQuota): Promise<void> {
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  for (const record of listMounts(paths)) {
    if (!record.key.startsWith(`${key}-`) || record.content.kind !== 'union') continue;
    writeMount(paths, { ...record, content: { ...record.content, quota } });
    await askServer(paths, serverOf(record.content));
  }
}

/** What the server has done since it was started; undefined where none runs. Starts nothing. */
export async function readServerCounters(paths: StatePaths, server: ServerName): Promise<ServerCounters | undefined> {
  if (!isServed(paths, server)) return undefined;
  try {
    return JSON.parse(await ask(serverSocket(paths, server), 'counters')) as ServerCounters;
  } catch {
    // It is being replaced, or is of an older version.
    return undefined;
  }
}

/** Has the server look at the mounts there are, and waits until it serves them. */
async function askServer(paths: StatePaths, server: ServerName): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    ensureServer(paths, server);
    const answer = await ask(serverSocket(paths, server), 'scan').catch((error: unknown) => (error as Error).message);
    if (answer === 'ok') return;
    if (performance.now() > deadline) {
      throw new Error(`The ${server} server does not answer (${answer}); see ${join(paths.run, `${server}.log`)}`);
    }
    await sleep(5);
  }
}

/** One exchange: a word, answered by a line. */
function ask(socketPath: string, word: 'scan' | 'counters'): Promise<string> {
  return new Promise((resolve, reject) => {
    const address = socketAddress(socketPath);
    const socket = connect(address.path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(10_000, () => socket.destroy(new Error('timed out')));
    socket.on('connect', () => socket.write(`${word}\n`));
    socket.on('data', (text: string) => (answer += text));
    socket.on('error', reject);
    socket.on('close', () => {
      address[Symbol.dispose]();
      if (answer.endsWith('\n')) resolve(answer.trimEnd());
      else reject(new Error('it closed the connection'));
    });
  });
}
