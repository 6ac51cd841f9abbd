/** Starting the monitor's program with a plan, and reading what it reports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { monitorBinary } from '../base/install.ts';
import { sealedMemfd } from '../sys/memfd.ts';
import { describeErrno } from '../sys/system-error.ts';
import type { LaunchPlan } from './plan.ts';
import { RECORD, RECORD_KIND } from './plan-layout.ts';

let programFd: number | undefined;

/**
 * The program runs from a sealed memory file. Container processes can reach it as /proc/PID/exe while it prepares them,
 * and the file under the installation belongs to the user that the container's root is mapped to: it could be
 * overwritten from inside (CVE-2019-5736).
 */
export function monitorProgram(): string {
  programFd ??= sealedMemfd('trun-monitor', readFileSync(monitorBinary()));
  return `/proc/self/fd/${programFd}`;
}

/** An operation of a plan that failed. */
export class LaunchError extends Error {
  readonly code: string;
  readonly errno: number;
  /** What could not be done, without "Cannot". */
  readonly action: string;

  constructor(action: string, errno: number) {
    const [code, text] = describeErrno(errno);
    super(`Cannot ${action}: ${text} (${code})`);
    this.name = 'LaunchError';
    this.code = code;
    this.errno = -errno;
    this.action = action;
  }
}

/** A note carries the value of its operation; an exit the wait(2) status. */
export type MonitorRecord = { readonly kind: 'note' | 'exit'; readonly value: number };

export interface MonitorProcess {
  readonly child: ChildProcess;
  /**
   * The next record, in order. Throws a LaunchError where an operation failed. Undefined: the monitor has closed its
   * status socket, as it does when it begins to supervise.
   */
  next(): Promise<MonitorRecord | undefined>;
  /** Writes to the status socket: plans wait there for the word to go on. */
  go(): void;
  /** Gives the status socket up. */
  close(): void;
}

/** Where the program's stdin, stdout and stderr come from: an fd of ours, or /dev/null. */
export type MonitorStdio = readonly ['ignore' | number, 'ignore' | number, 'ignore' | number];

/**
 * Starts a plan in a session of its own, detached from this process, in the folder /.
 * @param inherited fds of ours that the plan finds at INHERITED_FD and after
 */
export function startMonitor(
  plan: LaunchPlan,
  stdio: MonitorStdio = ['ignore', 'ignore', 'ignore'],
  inherited: readonly number[] = [],
): MonitorProcess {
  const { child, status } = spawnMonitor(plan, stdio, 'pipe', inherited);
  const records: AsyncIterator<Buffer, undefined> = status!.iterator({ destroyOnReturn: false });
  let pending = Buffer.alloc(0);

  async function next(): Promise<MonitorRecord | undefined> {
    while (pending.length < RECORD.size) {
      const { value, done } = await records.next();
      if (done === true) return undefined;
      pending = Buffer.concat([pending, value]);
    }
    const record = pending.subarray(0, RECORD.size);
    pending = pending.subarray(RECORD.size);
    return decodeRecord(plan, record);
  }

  return {
    child,
    next,
    go: () => void status!.write('g'),
    close: () => void status!.destroy(),
  };
}

/** Starts a plan whose status socket is somebody else's: `statusFd` is inherited. */
export function startMonitorFor(
  statusFd: number,
  plan: LaunchPlan,
  stdio: MonitorStdio,
  inherited: readonly number[] = [],
): ChildProcess {
  return spawnMonitor(plan, stdio, statusFd, inherited).child;
}

/** One record of the status socket. Throws a LaunchError where it reports one. */
export function decodeRecord(plan: Pick<LaunchPlan, 'action'>, record: Buffer): MonitorRecord {
  const kind = record.readUInt32LE(RECORD.kind);
  const value = Number(record.readBigInt64LE(RECORD.value));
  if (kind === RECORD_KIND.error) throw new LaunchError(plan.action(record.readUInt32LE(RECORD.operation)), value);
  return { kind: kind === RECORD_KIND.exit ? 'exit' : 'note', value };
}

function spawnMonitor(plan: LaunchPlan, stdio: MonitorStdio, status: 'pipe' | number, inherited: readonly number[]) {
  const planFd = sealedMemfd('trun-plan', plan.encode());
  try {
    const child = spawn(monitorProgram(), [], {
      argv0: 'trun-monitor',
      cwd: '/',
      detached: true,
      env: {},
      stdio: [...stdio, planFd, status, ...inherited],
    });
    child.unref();
    // Without a listener a failed spawn would end the process; the status socket's end tells its reader.
    child.on('error', () => undefined);
    return { child, status: status === 'pipe' ? (child.stdio[4] as Duplex) : undefined };
  } finally {
    closeSync(planFd);
  }
}
