/** Executing a plan without an event loop: the caller reads its records as they come, and blocks meanwhile. */
import { closeSync, readSync, writeSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';
import { sealedMemfd } from '../sys/memfd.ts';
import { makeSocketPair } from '../sys/pipe.ts';
import { posixSpawnProgram } from '../sys/posix-spawn.ts';
import type { LaunchPlan } from './plan.ts';
import { PLAN_FD, RECORD, STATUS_FD } from './plan-layout.ts';
import { monitorProgram } from './program.ts';
import { decodeRecord, type MonitorRecord } from './record.ts';

/** Two fds of the program that nobody uses; plans begin by closing what they do not know. */
const ASIDE = 240;

export interface PlanProcess {
  readonly pid: number;
  /** Our end of the status socket. */
  readonly status: number;
  /** The next record; undefined where the socket has ended. Throws a LaunchError where an operation failed. */
  next(): MonitorRecord | undefined;
  /** Lets the plan go on from where it waits. */
  go(): void;
  close(): void;
}

/**
 * Starts the monitor's program with a plan. Its stdio is ours, or what `fds` say, which map fds of ours to the
 * program's. It stays in our session.
 */
export function spawnPlan(plan: LaunchPlan, fds: readonly (readonly [from: number, to: number])[]): PlanProcess {
  const [ours, theirs] = makeSocketPair();
  const planFd = sealedMemfd('trun-plan', plan.encode());
  let pid;
  try {
    pid = posixSpawnProgram({
      path: monitorProgram(),
      args: ['trun-oci'],
      // One fd's place may be where another one still is: the plan's own go out of the way first.
      fds: [
        [planFd, ASIDE],
        [theirs, ASIDE + 1],
        // Node has made stdio close-on-exec; a duplicate on itself is not (posix_spawn_file_actions_adddup2(3)).
        ...[0, 1, 2].filter((fd) => !fds.some(([, to]) => to === fd)).map((fd) => [fd, fd] as const),
        ...fds,
        [ASIDE, PLAN_FD],
        [ASIDE + 1, STATUS_FD],
      ],
    });
  } finally {
    closeSync(planFd);
    closeSync(theirs);
  }
  const records = new RecordReader(plan, ours);
  return {
    pid,
    status: ours,
    next: () => records.next(),
    go: () => void writeSync(ours, 'g'),
    close: () => closeSync(ours),
  };
}

/** A signal may interrupt a read that waits (signal(7)), and Node's readSync tells: it is made again. */
function readThrough(fd: number, into: Buffer, at: number): number {
  for (;;) {
    try {
      return readSync(fd, into, at, into.length - at, null);
    } catch (error) {
      if (errorCode(error) !== 'EINTR') throw error;
    }
  }
}

/** Reads records from a blocking socket. */
export class RecordReader {
  readonly #plan: Pick<LaunchPlan, 'action'>;
  readonly #fd: number;
  readonly #record = Buffer.alloc(RECORD.size);

  constructor(plan: Pick<LaunchPlan, 'action'>, fd: number) {
    this.#plan = plan;
    this.#fd = fd;
  }

  next(): MonitorRecord | undefined {
    for (let at = 0; at < RECORD.size;) {
      const count = readThrough(this.#fd, this.#record, at);
      if (count === 0) return undefined;
      at += count;
    }
    return decodeRecord(this.#plan, this.#record);
  }
}
