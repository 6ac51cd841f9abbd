/** Mounting content in the holder's namespaces, and having it served. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processEntry } from '../base/install.ts';
import { mountsFolder } from '../holder/holder-plan.ts';
import type { Holder } from '../holder/holder.ts';
import { LaunchError, startMonitor } from '../monitor/start.ts';
import { takeLock, tryLock } from '../state/lock.ts';
import type { StatePaths } from '../state/paths.ts';
import { socketAddress } from '../state/socket-address.ts';
import { processIdentity } from '../sys/process-identity.ts';
import { keeperPlan, unmountPlan } from './keeper-plan.ts';
import {
  findMount,
  forgetMount,
  serverOf,
  writeMount,
  type MountContent,
  type MountRecord,
  type ServerName,
} from './mount-record.ts';

/**
 * Mounts `content` under `key` and has it served, or finds that it is. Returns the mount point, a path of the holder's
 * mount namespace. Content under one key is the same for ever.
 */
export async function ensureMount(
  paths: StatePaths,
  holder: Holder,
  key: string,
  content: MountContent,
): Promise<string> {
  const server = serverOf(content);
  const found = findMount(paths, key);
  if (found !== undefined && isServed(paths, server)) return found.mountPoint;
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  const record = findMount(paths, key) ?? (await mount(paths, holder, key, content));
  await askServer(paths, server);
  return record.mountPoint;
}

/** Takes the mount away where there is one. Containers that use it keep it until they end. */
export async function removeMount(paths: StatePaths, holder: Holder | undefined, key: string): Promise<void> {
  using _lock = await takeLock(join(paths.run, 'mounts.lock'));
  const record = findMount(paths, key);
  if (record !== undefined) {
    if (holder !== undefined) {
      const monitor = startMonitor(unmountPlan(holder.process.pid, record.mountPoint));
      await monitor.next();
    }
    process.kill(record.keeper.pid, 'SIGKILL');
  }
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
    throw error instanceof LaunchError && error.action === 'open /dev/fuse' ? fuseMissing(error) : error;
  }
  const keeper = monitor.child.pid === undefined ? undefined : processIdentity(monitor.child.pid);
  if (keeper === undefined) throw new Error(`Cannot mount ${mountPoint}: its keeper ended at once`);
  monitor.close();
  const record = { key, mountPoint, content, keeper };
  writeMount(paths, record);
  return record;
}

function fuseMissing(cause: LaunchError): Error {
  const mend =
    cause.code === 'EACCES' || cause.code === 'EPERM'
      ? 'it must be readable and writable for you: ask the administrator for chmod 0666 /dev/fuse'
      : 'ask the administrator to load it: modprobe fuse';
  return new Error(`${cause.message}; ${mend}`, { cause });
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
    const child = spawn(
      process.execPath,
      ['--no-warnings', '--v8-pool-size=0', processEntry('image-server'), server, paths.run],
      {
        stdio: ['ignore', log, log, lock.fd],
        detached: true,
        cwd: '/',
        env: {},
      },
    );
    child.on('error', () => undefined);
    child.unref();
    closeSync(log);
  } finally {
    lock[Symbol.dispose]();
  }
}

/** Has the server look at the mounts there are, and waits until it serves them. */
async function askServer(paths: StatePaths, server: ServerName): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    ensureServer(paths, server);
    const answer = await ask(serverSocket(paths, server)).catch((error: unknown) => error as Error);
    if (answer === undefined) return;
    if (performance.now() > deadline) {
      throw new Error(
        `The ${server} server does not answer (${answer.message}); see ${join(paths.run, `${server}.log`)}`,
      );
    }
    await sleep(5);
  }
}

/** One exchange: "scan", answered by "ok" or by what is wrong. */
function ask(socketPath: string): Promise<Error | undefined> {
  return new Promise((resolve, reject) => {
    const address = socketAddress(socketPath);
    const socket = connect(address.path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(10_000, () => socket.destroy(new Error('timed out')));
    socket.on('connect', () => socket.write('scan\n'));
    socket.on('data', (text: string) => (answer += text));
    socket.on('error', reject);
    socket.on('close', () => {
      address[Symbol.dispose]();
      if (answer === 'ok\n') resolve(undefined);
      else reject(new Error(answer.trim() || 'it closed the connection'));
    });
  });
}
