/**
 * A running container as its agent has it: the connection to its monitor, and the pump that moves its output into the
 * log. Both come over the monitor's socket, for a container just started as for one taken over from an agent that died.
 */
import { closeSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { EXIT_LENGTH } from '../monitor/plan-layout.ts';
import type { StatePaths } from '../state/paths.ts';
import type { Poller } from '../sys/poller.ts';
import { errorCode } from '../base/error-code.ts';
import { type LogLimits, LogWriter } from './log-writer.ts';
import { dismissRetained, forgetMonitorSocket, retainMonitorSocket, takeMonitorFds } from './monitor-link.ts';
import { OutputPump } from './output-pump.ts';

/** How a container's first process ended. */
export interface Exit {
  /** As Docker counts: the program's code, 128 and the signal's number, or 137 where nobody knows. */
  readonly exitCode: number;
  /** Why nobody knows. The container may have outlived its monitor then: PR_SET_PDEATHSIG can be undone from inside. */
  readonly error?: string;
}

export interface Supervision {
  readonly paths: StatePaths;
  readonly poller: Poller;
  readonly id: string;
  readonly folder: string;
  readonly terminal: boolean;
  readonly log: LogLimits;
  readonly report: (problem: string) => void;
}

export class RunningContainer {
  readonly id: string;
  /** Settles when the container has ended and all of its output is in the log. The monitor waits for `release` then. */
  readonly exited: Promise<Exit>;
  readonly #supervision: Supervision;
  readonly #connection: number;
  readonly #pump: OutputPump;
  #resolve!: (exit: Exit) => void;

  /** Throws where the container has no monitor any more. */
  constructor(supervision: Supervision) {
    const { paths, poller, id, folder, terminal, log, report } = supervision;
    this.id = id;
    this.#supervision = supervision;
    this.exited = new Promise((resolve) => (this.#resolve = resolve));
    const { connection, exited, fds } = takeMonitorFds(paths, id, 'agent');
    this.#connection = connection;
    // The write end of its stdin is for clients: held here as well, stdin would never end.
    const sources = terminal ? fds : fds.slice(0, 2);
    for (const fd of fds.slice(sources.length)) closeSync(fd);
    try {
      this.#pump = new OutputPump(poller, new LogWriter(folder, log), sources, terminal, report);
    } catch (error) {
      for (const fd of [connection, ...sources]) closeSync(fd);
      throw error;
    }
    if (exited) queueMicrotask(() => this.#end());
    else poller.watch(connection, () => this.#receive());
  }

  /** Has the monitor stay while its container waits for its restart; returns what lets it go. */
  retain(): () => void {
    const { paths } = this.#supervision;
    retainMonitorSocket(paths, this.id);
    return () => dismissRetained(paths, this.id, this.#connection);
  }

  /** Lets the monitor go, once the container's end is on record. */
  release(): void {
    try {
      writeSync(this.#connection, 'D');
    } catch (error) {
      if (errorCode(error) !== 'EPIPE') throw error;
    }
    closeSync(this.#connection);
    forgetMonitorSocket(this.#supervision.paths, this.id);
  }

  /** 'X', or the end of file of a monitor that was killed. */
  #receive(): void {
    const word = Buffer.alloc(1);
    try {
      readSync(this.#connection, word);
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return;
    }
    this.#supervision.poller.unwatch(this.#connection);
    this.#end();
  }

  #end(): void {
    try {
      this.#pump.finish();
    } catch (error) {
      this.#supervision.report(`the rest of its output is lost: ${(error as Error).message}`);
    }
    this.#resolve(readExit(this.#supervision.folder));
  }
}

/** Files of a container's folder that its monitor writes: the wait(2) status, by way of the temporary one. */
export const EXIT_FILE = 'exit';
export const EXIT_TEMPORARY = 'exit.tmp';

/**
 * Makes room for the status of a start to come, and forgets the one before. The file that the monitor will write over
 * is on the disk before the container runs: the disk may be full by its end.
 */
export function reserveExit(folder: string): void {
  rmSync(join(folder, EXIT_FILE), { force: true });
  writeFileSync(join(folder, EXIT_TEMPORARY), ' '.repeat(EXIT_LENGTH), { mode: 0o600 });
}

/** What the monitor wrote of the container's end. Without it the monitor itself was killed, and its container with it. */
export function readExit(folder: string): Exit {
  let status;
  try {
    status = /^\d+\s*$/.exec(readFileSync(join(folder, EXIT_FILE), 'latin1'))?.[0];
  } catch {
    // There is none.
  }
  if (status === undefined) {
    return { exitCode: 128 + constants.signals.SIGKILL, error: 'its monitor process was killed' };
  }
  return { exitCode: exitCodeOf(Number(status)) };
}

/** wait(2)'s status as a shell counts it. */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
