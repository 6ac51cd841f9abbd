/**
 * A container's output on disk: what it printed, byte for byte, in one file for each stream, and an index that says which
 * bytes came when. The agent moves output from the container's pipes into the files with splice(2), which leaves every
 * byte in one place or the other whenever it is killed; the index follows, and its successor indexes what it finds beyond.
 *
 * Everybody else only reads: `logs`, `attach` and a foreground `run` follow the files themselves.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';

export type StreamName = 'stdout' | 'stderr';

/** Not for appending: splice(2) refuses that. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_CREAT;
/** What a record can tell of at most. */
const MAX_LENGTH = 0xffffffff;

const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];

/** A record of the index: which stream, how many bytes, when (ms since 1970, a double). Little endian. */
export const INDEX_RECORD = { size: 16, stream: 0, length: 4, time: 8 } as const;

/** Bytes that a container printed at once. */
export interface Chunk {
  readonly stream: StreamName;
  readonly time: number;
  readonly data: Buffer;
}

function logPath(folder: string, name: StreamName | 'index'): string {
  return join(folder, `${name}.log`);
}

/** Where the agent writes. */
export class LogWriter implements Disposable {
  readonly #index: number;
  #position: number;
  /** `size` is what lies in the file, `indexed` what the index tells of it. */
  readonly #files: Record<StreamName, { readonly fd: number; size: number; indexed: number }>;

  /** Opens or makes the log, and indexes what an agent killed between splice and index has left. */
  constructor(folder: string) {
    this.#index = openSync(logPath(folder, 'index'), OPEN_FLAGS, 0o600);
    const opened = [this.#index];
    try {
      const { stdout, stderr, end } = indexedBytes(this.#index);
      this.#position = end;
      const [out, err] = STREAMS.map((stream) => {
        const fd = openSync(logPath(folder, stream), OPEN_FLAGS, 0o600);
        opened.push(fd);
        return fd;
      }) as [number, number];
      this.#files = {
        stdout: { fd: out, size: Math.max(fstatSync(out).size, stdout), indexed: stdout },
        stderr: { fd: err, size: Math.max(fstatSync(err).size, stderr), indexed: stderr },
      };
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      throw error;
    }
    for (const stream of STREAMS) this.#indexRest(stream);
  }

  /** Bytes of the index: where the output of a start that begins now will be found. */
  get position(): number {
    return this.#position;
  }

  /** Where the next bytes of a stream go: the file, and the offset in it. */
  target(stream: StreamName): { fd: number; offset: number } {
    const { fd, size } = this.#files[stream];
    return { fd, offset: size };
  }

  /** Indexes `length` bytes that have been written at the target; on a full disk, as soon as there is room again. */
  wrote(stream: StreamName, length: number): void {
    this.#files[stream].size += length;
    this.#indexRest(stream);
  }

  #indexRest(stream: StreamName): void {
    const file = this.#files[stream];
    while (file.indexed < file.size) {
      const length = Math.min(file.size - file.indexed, MAX_LENGTH);
      const record = Buffer.alloc(INDEX_RECORD.size);
      record.writeUInt32LE(STREAMS.indexOf(stream), INDEX_RECORD.stream);
      record.writeUInt32LE(length, INDEX_RECORD.length);
      record.writeDoubleLE(Date.now(), INDEX_RECORD.time);
      // At its place, not at the end: of a record that did not fit there may be a part.
      if (!writeWhole(this.#index, record, this.#position)) return;
      this.#position += record.length;
      file.indexed += length;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#index);
    for (const stream of STREAMS) closeSync(this.#files[stream].fd);
  }
}

/** Whether all of it found room. */
function writeWhole(fd: number, data: Buffer, position: number): boolean {
  try {
    return writeSync(fd, data, 0, data.length, position) === data.length;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}

/** Whether a file could not be written for want of room: a full disk, a quota, a limit on its size. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '');
}

function indexedBytes(index: number): Record<StreamName, number> & { readonly end: number } {
  const bytes = { stdout: 0, stderr: 0, end: 0 };
  for (const { stream, length } of readIndex(index, 0)) {
    bytes[stream] += length;
    bytes.end += INDEX_RECORD.size;
  }
  return bytes;
}

interface IndexRecord {
  readonly stream: StreamName;
  readonly length: number;
  readonly time: number;
}

/** The whole records from `position` on. A block at a time: the index of a talkative container is long. */
function* readIndex(fd: number, position: number): Generator<IndexRecord> {
  const block = Buffer.alloc(4096 * INDEX_RECORD.size);
  for (let end = position; ;) {
    const read = readSync(fd, block, 0, block.length, end);
    const whole = read - (read % INDEX_RECORD.size);
    for (let at = 0; at < whole; at += INDEX_RECORD.size) {
      yield {
        stream: STREAMS[block.readUInt32LE(at + INDEX_RECORD.stream)] ?? 'stdout',
        length: block.readUInt32LE(at + INDEX_RECORD.length),
        time: block.readDoubleLE(at + INDEX_RECORD.time),
      };
    }
    end += whole;
    if (whole < block.length) return;
  }
}

/** Reads a container's output in order, and goes on reading as more comes. */
export class LogReader implements Disposable {
  readonly #index: number;
  readonly #files: Record<StreamName, number>;
  readonly #offsets: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  #position = 0;

  private constructor(index: number, files: Record<StreamName, number>) {
    this.#index = index;
    this.#files = files;
  }

  /** Opens the log of a container; undefined where it has none yet. Removing the container later does not disturb it. */
  static open(folder: string): LogReader | undefined {
    const opened: number[] = [];
    try {
      for (const name of ['index', 'stdout', 'stderr'] as const) opened.push(openSync(logPath(folder, name), 'r'));
      return new LogReader(opened[0]!, { stdout: opened[1]!, stderr: opened[2]! });
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Goes to a position of the index, as `LogWriter.position` gave it. */
  seek(position: number): void {
    this.#offsets.stdout = this.#offsets.stderr = 0;
    this.#position = 0;
    for (const { stream, length } of readIndex(this.#index, 0)) {
      if (this.#position >= position) return;
      this.#position += INDEX_RECORD.size;
      this.#offsets[stream] += length;
    }
  }

  /** Everything that has come since the last call, in pieces of at most `limit` bytes. */
  *read(limit = 1 << 20): Generator<Chunk> {
    for (const { stream, length, time } of readIndex(this.#index, this.#position)) {
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

  [Symbol.dispose](): void {
    closeSync(this.#index);
    for (const stream of STREAMS) closeSync(this.#files[stream]);
  }
}
