/** Starting the monitor's program with a plan, and reading what it reports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { sealedMemfd } from '../sys/memfd.ts';
import type { LaunchPlan } from './plan.ts';
import { RECORD } from './plan-layout.ts';
import { monitorProgram } from './program.ts';
import { decodeRecord, type MonitorRecord } from './record.ts';

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
