/**
 * A running container as its agent has it: the connection to its monitor, and the pump that moves its output into the
 * log. Both come over the monitor's socket, for a container just started as for one taken over from an agent that died.
 */
import { closeSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { StatePaths } from '../state/paths.ts';
import type { Poller } from '../sys/poller.ts';
import { errorCode } from '../base/error-code.ts';
import { LogWriter } from './log-store.ts';
import { monitorSocket, takeMonitorFds } from './monitor-link.ts';
import { OutputPump } from './output-pump.ts';

/** How a container's first process ended. */
export interface Exit {
  /** As Docker counts: the program's code, 128 and the signal's number, or 137 where nobody knows. */
  readonly exitCode: number;
  /** Why nobody knows. */
  readonly error?: string;
}

export interface Supervision {
  readonly paths: StatePaths;
  readonly poller: Poller;
  readonly id: string;
  readonly folder: string;
  readonly terminal: boolean;
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
    const { paths, poller, id, folder, terminal, report } = supervision;
    this.id = id;
    this.#supervision = supervision;
    this.exited = new Promise((resolve) => (this.#resolve = resolve));
    const { connection, exited, fds } = takeMonitorFds(paths, id, 'agent');
    this.#connection = connection;
    // The write end of its stdin is for clients: held here as well, stdin would never end.
    const sources = terminal ? fds : fds.slice(0, 2);
    for (const fd of fds.slice(sources.length)) closeSync(fd);
    this.#pump = new OutputPump(poller, new LogWriter(folder), sources, terminal, report);
    if (exited) queueMicrotask(() => this.#end());
    else poller.watch(connection, () => this.#receive());
  }

  /** Lets the monitor go, once the container's end is on record. */
  release(): void {
    try {
      writeSync(this.#connection, 'D');
    } catch (error) {
      if (errorCode(error) !== 'EPIPE') throw error;
    }
    closeSync(this.#connection);
    const { folder, name } = monitorSocket(this.#supervision.paths, this.id);
    rmSync(join(folder, name), { force: true });
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
    this.#pump.finish();
    this.#resolve(readExit(this.#supervision.folder));
  }
}

/** What the monitor wrote of the container's end. Without it the monitor itself was killed, and its container with it. */
export function readExit(folder: string): Exit {
  let status;
  try {
    status = Number(readFileSync(join(folder, 'exit'), 'latin1'));
  } catch {
    return { exitCode: 128 + constants.signals.SIGKILL, error: 'its monitor process was killed' };
  }
  return { exitCode: exitCodeOf(status) };
}

/** wait(2)'s status as a shell counts it. */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
