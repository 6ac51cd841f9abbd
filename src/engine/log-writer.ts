/** Where the agent writes a container's output (log-segments.ts has the theory). */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';
import {
  INDEX_RECORD,
  listSegments,
  openForWriting,
  readIndex,
  removeSegments,
  type SegmentFiles,
  type StreamName,
  STREAMS,
} from './log-segments.ts';

/** What a record can tell of at most. */
const MAX_LENGTH = 0xffffffff;

/** How much of a log is kept. */
export interface LogLimits {
  /** Bytes of output in a segment, both streams together; absent: there is one segment without end. */
  readonly maxSize?: number;
  /** Segments. */
  readonly maxFiles: number;
}

/** `size` is what lies in the file, `indexed` what the index tells of it. */
type Counts = Record<StreamName, { size: number; indexed: number }>;

export class LogWriter implements Disposable {
  readonly #folder: string;
  readonly #limits: LogLimits;
  #files: SegmentFiles;
  /** Where the segment begins, and the bytes of its index. */
  #base: number;
  #end = 0;
  #counts: Counts;

  /** Opens or makes the log, and indexes what an agent killed between splice and index has left. */
  constructor(folder: string, limits: LogLimits = { maxFiles: 1 }) {
    this.#folder = folder;
    this.#limits = limits;
    this.#base = listSegments(folder).at(-1) ?? 0;
    this.#files = this.#open(this.#base);
    this.#counts = this.#count();
    for (const stream of STREAMS) this.#indexRest(stream);
  }

  /** Where the output of a start that begins now will be found. */
  get position(): number {
    return this.#base + this.#end;
  }

  /** Where the next bytes of a stream go: the file, the offset in it, and how many may go there at once. */
  target(stream: StreamName): { fd: number; offset: number; room: number } {
    const { maxSize = Infinity } = this.#limits;
    return { fd: this.#files[stream], offset: this.#counts[stream].size, room: Math.max(maxSize - this.#size, 1) };
  }

  /** Indexes `length` bytes that have been written at the target; on a full disk, as soon as there is room again. */
  wrote(stream: StreamName, length: number): void {
    this.#counts[stream].size += length;
    this.#indexRest(stream);
    if (this.#size >= (this.#limits.maxSize ?? Infinity)) this.#turnOver();
  }

  get #size(): number {
    return this.#counts.stdout.size + this.#counts.stderr.size;
  }

  #open(base: number): SegmentFiles {
    const opened: number[] = [];
    try {
      return openForWriting(this.#folder, base, (fd) => opened.push(fd));
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      throw error;
    }
  }

  #count(): Counts {
    const indexed = { stdout: 0, stderr: 0 };
    for (const { stream, length } of readIndex(this.#files.index, 0)) {
      indexed[stream] += length;
      this.#end += INDEX_RECORD.size;
    }
    const [stdout, stderr] = STREAMS.map((stream) => ({
      size: Math.max(fstatSync(this.#files[stream]).size, indexed[stream]),
      indexed: indexed[stream],
    })) as [Counts['stdout'], Counts['stderr']];
    return { stdout, stderr };
  }

  #indexRest(stream: StreamName): void {
    const file = this.#counts[stream];
    while (file.indexed < file.size) {
      const length = Math.min(file.size - file.indexed, MAX_LENGTH);
      const record = Buffer.alloc(INDEX_RECORD.size);
      record.writeUInt32LE(STREAMS.indexOf(stream), INDEX_RECORD.stream);
      record.writeUInt32LE(length, INDEX_RECORD.length);
      record.writeDoubleLE(Date.now(), INDEX_RECORD.time);
      // At its place, not at the end: of a record that did not fit there may be a part.
      if (!writeWhole(this.#files.index, record, this.#end)) return;
      this.#end += record.length;
      file.indexed += length;
    }
  }

  /** Goes on in a new segment. Not while the index lags behind, nor where none can be made: later, then. */
  #turnOver(): void {
    if (STREAMS.some((stream) => this.#counts[stream].indexed < this.#counts[stream].size)) return;
    const base = this.#base + this.#end;
    let files;
    try {
      files = this.#open(base);
    } catch {
      return;
    }
    this.#close();
    [this.#files, this.#base, this.#end] = [files, base, 0];
    this.#counts = { stdout: { size: 0, indexed: 0 }, stderr: { size: 0, indexed: 0 } };
    removeSegments(this.#folder, this.#limits.maxFiles);
  }

  #close(): void {
    for (const fd of Object.values(this.#files)) closeSync(fd);
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

/** Whether all of it found room. */
function writeWhole(fd: number, data: Buffer, position: number): boolean {
  try {
    return writeSync(fd, data, 0, data.length, position) === data.length;
  } catch (error) {
    if (isUnwritable(error)) return false;
    throw error;
  }
}

/** Whether a file could not be written for its file system's sake: full, a quota, a limit on its size, a failing disk. */
export function isUnwritable(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS', 'ESTALE'].includes(errorCode(error) ?? '');
}
