import { BLOCK, TarError, type DataRun } from './tar-header.ts';
import { sparseNumber } from './pax.ts';

/** More runs than any real file has; each costs memory here. */
const RUN_LIMIT = 1_000_000;

/** Turns the payload of a sparse file into its data and its holes, in order. */
export class SparseExpander {
  readonly #runs: readonly DataRun[];
  readonly #realSize: number;
  #run = 0;
  #position = 0;

  /** `payload`: bytes of data that the archive holds for this file, which has to be what the runs add up to. */
  constructor(runs: readonly DataRun[], realSize: number, payload: number) {
    let end = 0;
    let data = 0;
    for (const { offset, size } of runs) {
      if (offset < end || offset + size > realSize) throw new TarError('a sparse map is out of order or out of range');
      end = offset + size;
      data += size;
    }
    if (data !== payload) throw new TarError('a sparse map does not fit its payload');
    this.#runs = runs.filter(({ size }) => size > 0);
    this.#realSize = realSize;
  }

  write(chunk: Buffer, data: (chunk: Buffer) => void, hole: (size: number) => void): void {
    for (let at = 0; at < chunk.length;) {
      const { offset, size } = this.#runs[this.#run]!;
      if (this.#position < offset) hole(offset - this.#position);
      this.#position = Math.max(this.#position, offset);
      const part = chunk.subarray(at, at + offset + size - this.#position);
      data(part);
      at += part.length;
      this.#position += part.length;
      if (this.#position === offset + size) this.#run++;
    }
  }

  end(hole: (size: number) => void): void {
    if (this.#position < this.#realSize) hole(this.#realSize - this.#position);
  }
}

/** Adds up runs from wherever a format keeps them, within the limit. */
export function appendRuns(runs: DataRun[], more: readonly DataRun[]): void {
  if (runs.length + more.length > RUN_LIMIT) throw new TarError(`a sparse map has over ${RUN_LIMIT} runs`);
  for (const run of more) runs.push(run);
}

/**
 * The map of GNU sparse 1.0 at the head of a payload: decimal numbers, each ended by a newline: count, then offset and size of
 * each run; padded to whole blocks. Feed it blocks until it returns true.
 */
export class SparseMapReader {
  readonly runs: DataRun[] = [];
  /** Bytes of payload that were map. */
  consumed = 0;
  #text = '';
  #count: number | undefined;
  #offset: number | undefined;

  add(block: Buffer): boolean {
    this.consumed += BLOCK;
    this.#text += block.toString('latin1');
    for (let end = this.#text.indexOf('\n'); end >= 0 && !this.#isComplete(); end = this.#text.indexOf('\n')) {
      this.#number(sparseNumber(this.#text.slice(0, end)));
      this.#text = this.#text.slice(end + 1);
    }
    if (!this.#isComplete() && this.#text.length > 32) throw new TarError('a sparse map is malformed');
    return this.#isComplete();
  }

  #number(value: number): void {
    if (this.#count === undefined) {
      if (value > RUN_LIMIT) throw new TarError(`a sparse map has over ${RUN_LIMIT} runs`);
      this.#count = value;
    } else if (this.#offset === undefined) {
      this.#offset = value;
    } else {
      this.runs.push({ offset: this.#offset, size: value });
      this.#offset = undefined;
    }
  }

  #isComplete(): boolean {
    return this.#count !== undefined && this.runs.length === this.#count;
  }
}
