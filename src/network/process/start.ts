/** Finding a network's process, or starting it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson } from '../../state/atomic-file.ts';
import { isAlive, type ProcessIdentity } from '../../sys/process-identity.ts';
import { errorCode } from '../../base/error-code.ts';
import { NetworkProcessClient } from './client.ts';
import { alreadyServed, type ProcessConfig, readyLine } from './protocol.ts';

/** How to start a network process. */
export interface ProcessStart {
  readonly config: ProcessConfig;
  /** Program and arguments; the config comes behind them. */
  readonly command: readonly [program: string, ...args: string[]];
  /** How long it may take to start, and to answer, in ms, before it counts as dead. */
  readonly patience: number;
  /** A file that its messages are appended to. */
  readonly log: string;
  /** Opens the descriptors of `processFds`. They are closed here when the process has them. */
  openFds(): { readonly tun: number | undefined; readonly holder: number };
}

/** A log that has grown beyond this, in bytes, begins anew with the next process. */
const maxLog = 1024 * 1024;

/**
 * A connection to the process that serves the network: a running one, or a new one. Any number of processes
 * may call this at once: the lock of ProcessConfig lets one network process live, and all callers get to that one.
 */
export async function ensureNetworkProcess(start: ProcessStart): Promise<NetworkProcessClient> {
  const deadline = Date.now() + 3 * start.patience;
  for (let pause = 1; ; pause = Math.min(2 * pause, 50)) {
    const client = await findNetworkProcess(start);
    if (client !== undefined) return client;
    const outcome = await startProcess(start);
    if (outcome === 'failed' || Date.now() > deadline) {
      throw new Error(`Cannot start the network process of ${start.config.network}: see ${start.log}`);
    }
    // Another one holds the lock: it is about to listen, or, killed, about to be gone.
    if (outcome === 'already served') await sleep(pause);
  }
}

/**
 * A connection to the running process. Undefined where nobody listens, or somebody who hangs or serves what is no more:
 * both are made to go.
 */
export async function findNetworkProcess({
  config,
  patience,
}: ProcessStart): Promise<NetworkProcessClient | undefined> {
  const since = Date.now();
  let client;
  try {
    client = await NetworkProcessClient.connect(config.socket, patience);
    const { identity } = await client.call('hello', {});
    if (identity === config.identity) return client;
    await client.call('leave', {});
    client.close();
    return undefined;
  } catch (error) {
    client?.close();
    if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(errorCode(error) ?? '')) throw error;
    if (client !== undefined && Date.now() - since >= patience) endHungProcess(config.lock);
    return undefined;
  }
}

/** Kills the process that has left its identity in the lock file. */
function endHungProcess(lock: string): void {
  const identity = readJson<ProcessIdentity>(lock);
  if (isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
}

async function startProcess(start: ProcessStart): Promise<'ready' | 'already served' | 'failed'> {
  const [program, ...args] = start.command;
  const { tun, holder } = start.openFds();
  const log = openLog(start.log);
  let child: ChildProcess;
  try {
    child = spawn(program, [...args, JSON.stringify(start.config)], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', log, tun ?? 'ignore', holder],
    });
  } finally {
    for (const fd of [tun, holder, log]) if (fd !== undefined) closeSync(fd);
  }
  const stdout = child.stdout!;
  return new Promise((resolve) => {
    function settle(outcome: 'ready' | 'already served' | 'failed'): void {
      clearTimeout(timer);
      stdout.destroy();
      child.unref();
      resolve(outcome);
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      settle('failed');
    }, start.patience);
    let said = '';
    stdout.setEncoding('latin1').on('data', (text: string) => {
      said += text;
      if (said === readyLine) settle('ready');
    });
    child.on('error', () => settle('failed'));
    child.on('exit', (status) => settle(status === alreadyServed ? 'already served' : 'failed'));
  });
}

function openLog(path: string): number {
  const log = openSync(path, 'a', 0o600);
  if (fstatSync(log).size > maxLog) ftruncateSync(log);
  return log;
}
