/** Reading a container's output (log-segments.ts has the theory). */
import { closeSync, readSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';
import {
  type Chunk,
  INDEX_RECORD,
  listSegments,
  openForReading,
  readIndex,
  type SegmentFiles,
  type StreamName,
} from './log-segments.ts';

/** Reads a container's output in order, and goes on reading as more comes. */
export class LogReader implements Disposable {
  readonly #folder: string;
  #files: SegmentFiles;
  #base: number;
  /** Bytes read: of the segment's index, and of its streams. */
  #position = 0;
  #offsets: Record<StreamName, number> = { stdout: 0, stderr: 0 };

  private constructor(folder: string, base: number, files: SegmentFiles) {
    this.#folder = folder;
    this.#base = base;
    this.#files = files;
  }

  /** Opens the log of a container; undefined where it has none yet. Removing the container later does not disturb it. */
  static open(folder: string): LogReader | undefined {
    const first = openFirst(folder, () => true);
    return first === undefined ? undefined : new LogReader(folder, first.base, first.files);
  }

  /** Goes to a position as `LogWriter.position` gave it, or to what is left after it. */
  seek(position: number): void {
    const begins = listSegments(this.#folder).filter((base) => base <= position);
    const from = begins.at(-1) ?? 0;
    const segment = from === this.#base ? undefined : openFirst(this.#folder, (base) => base >= from);
    if (segment !== undefined) this.#turnTo(segment.base, segment.files);
    this.#position = 0;
    this.#offsets = { stdout: 0, stderr: 0 };
    for (const { stream, length } of readIndex(this.#files.index, 0)) {
      if (this.#base + this.#position >= position) return;
      this.#position += INDEX_RECORD.size;
      this.#offsets[stream] += length;
    }
  }

  /** Everything that has come since the last call, in pieces of at most `limit` bytes. */
  *read(limit = 1 << 20): Generator<Chunk> {
    for (;;) {
      // If there is a next one by now, this one is whole: what is read of it after this look is all of it.
      const hasNext = listSegments(this.#folder).some((base) => base > this.#base);
      yield* this.#readSegment(limit);
      if (!hasNext) return;
      const next = openFirst(this.#folder, (base) => base > this.#base);
      if (next === undefined) return;
      this.#turnTo(next.base, next.files);
    }
  }

  *#readSegment(limit: number): Generator<Chunk> {
    for (const { stream, length, time } of readIndex(this.#files.index, this.#position)) {
      this.#position += INDEX_RECORD.size;
      for (let left = length; left > 0;) {
        const data = Buffer.allocUnsafe(Math.min(left, limit));
        const read = readSync(this.#files[stream], data, 0, data.length, this.#offsets[stream]);
        if (read === 0) break;
        this.#offsets[stream] += read;
        left -= read;
        yield { stream, time, data: data.subarray(0, read) };
      }
    }
  }

  #turnTo(base: number, files: SegmentFiles): void {
    this[Symbol.dispose]();
    [this.#base, this.#files, this.#position] = [base, files, 0];
    this.#offsets = { stdout: 0, stderr: 0 };
  }

  [Symbol.dispose](): void {
    for (const fd of Object.values(this.#files)) closeSync(fd);
  }
}

/** The first of the segments that `isWanted`: one that goes while it is opened is none. */
function openFirst(
  folder: string,
  isWanted: (base: number) => boolean,
): { readonly base: number; readonly files: SegmentFiles } | undefined {
  for (let skipped = -1; ;) {
    const base = listSegments(folder).find((each) => each > skipped && isWanted(each));
    if (base === undefined) return undefined;
    const opened: number[] = [];
    try {
      return { base, files: openForReading(folder, base, (fd) => opened.push(fd)) };
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      if (errorCode(error) !== 'ENOENT') throw error;
      skipped = base;
    }
  }
}
