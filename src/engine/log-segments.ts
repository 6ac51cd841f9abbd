/**
 * A container's output on disk: what it printed, byte for byte, in one file for each stream, and an index that says which
 * bytes came when. The agent moves output from the container's pipes into the files with splice(2), which leaves every
 * byte in one place or the other whenever it is killed; the index follows, and its successor indexes what it finds beyond.
 *
 * A log of limited size goes on in further segments of three such files. Each is named by the position at which it begins:
 * the bytes of index before it. The last index there is marks the segment that is written; it is made after the other two
 * files, when the segment before it is indexed to its last byte and will not change any more. The oldest segments go.
 *
 * Everybody but the agent only reads: `logs`, `attach` and a foreground `run` follow the files themselves.
 */
import { constants, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';

export type StreamName = 'stdout' | 'stderr';

export const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];

/** A record of the index: which stream, how many bytes, when (ms since 1970, a double). Little endian. */
export const INDEX_RECORD = { size: 16, stream: 0, length: 4, time: 8 } as const;

/** Bytes that a container printed at once. */
export interface Chunk {
  readonly stream: StreamName;
  readonly time: number;
  readonly data: Buffer;
}

/** The open files of a segment. */
export type SegmentFiles = Readonly<Record<StreamName | 'index', number>>;

function fileName(name: StreamName | 'index', base: number): string {
  return base === 0 ? `${name}.log` : `${name}.${base}.log`;
}

const FILE = /^(index|stdout|stderr)(?:\.([1-9]\d*))?\.log$/;

/** Whether a file of the container's folder is the index of a segment. */
export function isIndexName(name: string): boolean {
  return FILE.exec(name)?.[1] === 'index';
}

/** Positions at which the segments of a log begin, in order. None where there is no log. */
export function listSegments(folder: string): number[] {
  const names = readFolder(folder).filter(isIndexName);
  return names.map((name) => Number(FILE.exec(name)?.[2] ?? 0)).sort((a, b) => a - b);
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Not for appending: splice(2) refuses that. */
const WRITING = constants.O_RDWR | constants.O_CREAT;

/** Opens a segment, making what is missing, the index last. */
export function openForWriting(folder: string, base: number, opened: (fd: number) => void): SegmentFiles {
  const [stdout, stderr, index] = ([...STREAMS, 'index'] as const).map((name) => {
    const fd = openSync(join(folder, fileName(name, base)), WRITING, 0o600);
    opened(fd);
    return fd;
  }) as [number, number, number];
  return { stdout, stderr, index };
}

/** Opens a segment to read it. Throws ENOENT where it has gone. */
export function openForReading(folder: string, base: number, opened: (fd: number) => void): SegmentFiles {
  const [index, stdout, stderr] = (['index', ...STREAMS] as const).map((name) => {
    const fd = openSync(join(folder, fileName(name, base)), 'r');
    opened(fd);
    return fd;
  }) as [number, number, number];
  return { stdout, stderr, index };
}

/** Removes the oldest segments, and files that a killed agent has left without an index. @param keep how many stay */
export function removeSegments(folder: string, keep: number): void {
  const bases = listSegments(folder);
  const kept = new Set(bases.slice(-keep));
  // What has no index is no segment any more, for whoever looks in between.
  const files = readFolder(folder).filter((name) => FILE.test(name) && !kept.has(Number(FILE.exec(name)![2] ?? 0)));
  for (const name of files.sort()) rmSync(join(folder, name), { force: true });
}

interface IndexRecord {
  readonly stream: StreamName;
  readonly length: number;
  readonly time: number;
}

/** The whole records from `offset` on. A block at a time: the index of a talkative container is long. */
export function* readIndex(fd: number, offset: number): Generator<IndexRecord> {
  const block = Buffer.alloc(4096 * INDEX_RECORD.size);
  for (let end = offset; ;) {
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
