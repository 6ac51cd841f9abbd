/**
 * Cuts a container's output into lines, and leaves out those that were not asked for. Nothing is held back until its line
 * is complete: a prompt is shown when it comes.
 */
import type { Chunk, StreamName } from '../../engine/log-segments.ts';

export interface LineChoice {
  /** Milliseconds since 1970; lines that began before or after are left out. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Begin each line with its time. */
  readonly timestamps: boolean;
}

/** A line, or a part of one. */
export interface Piece {
  readonly stream: StreamName;
  readonly data: Buffer;
  /** The first of its line. */
  readonly startsLine: boolean;
}

interface LineState {
  /** The last piece ended its line. */
  isAtStart: boolean;
  /** The line under way was asked for. */
  isShown: boolean;
}

const NEWLINE = 0x0a;

export class LogLines {
  readonly #choice: LineChoice;
  readonly #streams: Record<StreamName, LineState> = {
    stdout: { isAtStart: true, isShown: true },
    stderr: { isAtStart: true, isShown: true },
  };

  constructor(choice: LineChoice) {
    this.#choice = choice;
  }

  /** The pieces of a chunk that are to be shown. */
  *pieces({ stream, time, data }: Chunk): Generator<Piece> {
    const state = this.#streams[stream];
    for (let at = 0; at < data.length;) {
      const newline = data.indexOf(NEWLINE, at);
      const end = newline < 0 ? data.length : newline + 1;
      const startsLine = state.isAtStart;
      if (startsLine) state.isShown = this.#isWanted(time);
      state.isAtStart = newline >= 0;
      if (state.isShown) yield { stream, startsLine, data: this.#stamped(data.subarray(at, end), time, startsLine) };
      at = end;
    }
  }

  #isWanted(time: number): boolean {
    const { since = -Infinity, until = Infinity } = this.#choice;
    return time >= since && time <= until;
  }

  #stamped(data: Buffer, time: number, startsLine: boolean): Buffer {
    return this.#choice.timestamps && startsLine ? Buffer.concat([timestamp(time), data]) : data;
  }
}

/** RFC 3339 with nanoseconds, Docker's form; we know milliseconds. */
function timestamp(time: number): Buffer {
  return Buffer.from(`${new Date(time).toISOString().slice(0, -1)}000000Z `);
}

/** Keeps the last lines of what goes by, each with all its pieces. */
export class LastLines {
  readonly #count: number;
  #lines: Piece[][] = [];
  readonly #open: Partial<Record<StreamName, Piece[]>> = {};

  constructor(count: number) {
    this.#count = count;
  }

  add(piece: Piece): void {
    if (!piece.startsLine) {
      this.#open[piece.stream]?.push(piece);
      return;
    }
    const line = [piece];
    this.#open[piece.stream] = line;
    this.#lines.push(line);
    // Seldom, so that a line costs little.
    if (this.#lines.length > 2 * this.#count + 1000) this.#lines.splice(0, this.#lines.length - this.#count);
  }

  get pieces(): Piece[] {
    return this.#count === 0 ? [] : this.#lines.slice(-this.#count).flat();
  }
}
