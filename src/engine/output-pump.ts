/**
 * Moves a running container's output from its pipes or terminal into its log. Only the kernel touches the bytes.
 *
 * A terminal cannot be spliced into a file, so its output goes through a pipe that the monitor keeps: an agent that is
 * killed between the two steps leaves it there for the next one.
 */
import { closeSync, readSync } from 'node:fs';
import type { Poller } from '../sys/poller.ts';
import { moveBytes } from '../sys/splice.ts';
import { errorCode } from '../base/error-code.ts';
import type { StreamName } from './log-segments.ts';
import { isUnwritable, type LogWriter } from './log-writer.ts';

const AT_ONCE = 1 << 20;

export class OutputPump {
  readonly #poller: Poller;
  readonly #log: LogWriter;
  /** Fds that are watched, each with what to do when it is readable: returns false at its end. */
  readonly #sources = new Map<number, () => boolean>();
  readonly #fds: readonly number[];
  readonly #report: (problem: string) => void;
  /** Once is enough: there may be a line for each of the container's. */
  #reported = false;

  /** `fds` as the monitor hands them over; they belong to the pump from here on. */
  constructor(
    poller: Poller,
    log: LogWriter,
    fds: readonly number[],
    terminal: boolean,
    report: (problem: string) => void,
  ) {
    this.#poller = poller;
    this.#log = log;
    this.#fds = fds;
    this.#report = report;
    const [first, second, third] = fds;
    if (terminal) {
      this.#sources.set(first!, () => this.#moveTerminal(first!, second!, third!));
    } else {
      this.#sources.set(first!, () => this.#move(first!, 'stdout'));
      this.#sources.set(second!, () => this.#move(second!, 'stderr'));
    }
    for (const [fd, move] of this.#sources) {
      poller.watch(fd, () => {
        if (!move()) this.#unwatch(fd);
      });
    }
  }

  /** Moves all that is there now. */
  drain(): void {
    for (const [fd, move] of [...this.#sources]) if (!move()) this.#unwatch(fd);
  }

  /** Moves the rest and closes everything. */
  finish(): void {
    try {
      this.drain();
    } finally {
      for (const fd of [...this.#sources.keys()]) this.#unwatch(fd);
      for (const fd of this.#fds) closeSync(fd);
      this.#log[Symbol.dispose]();
    }
  }

  #unwatch(fd: number): void {
    if (this.#sources.delete(fd)) this.#poller.unwatch(fd);
  }

  #move(from: number, stream: StreamName): boolean {
    for (;;) {
      const { fd, offset, room } = this.#log.target(stream);
      let moved;
      try {
        moved = moveBytes(from, fd, Math.min(AT_ONCE, room), offset);
      } catch (error) {
        // Nothing has been moved, so there is something to read: this does not wait.
        moved = this.#discard(from, error);
        if (moved > 0) continue;
      }
      if (moved <= 0) return moved !== 0;
      this.#log.wrote(stream, moved);
    }
  }

  #moveTerminal(master: number, pipeRead: number, pipeWrite: number): boolean {
    for (;;) {
      this.#move(pipeRead, 'stdout');
      const moved = moveFromTerminal(master, pipeWrite);
      if (moved <= 0) return moved !== 0;
    }
  }

  /** A log that cannot be written (full or failing disk, quota) must not stop the container: what does not fit is dropped. */
  #discard(from: number, error: unknown): number {
    if (!isUnwritable(error)) throw error;
    if (!this.#reported) this.#report(`output is dropped: its log cannot be written (${errorCode(error)})`);
    this.#reported = true;
    return readSync(from, Buffer.alloc(1 << 16));
  }
}

/** A terminal whose last program has gone gives EIO: its end. */
function moveFromTerminal(master: number, pipe: number): number {
  try {
    return moveBytes(master, pipe, 1 << 16);
  } catch (error) {
    if (errorCode(error) === 'EIO') return 0;
    throw error;
  }
}
