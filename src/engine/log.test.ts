import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followLog } from './follow-log.ts';
import { LogReader } from './log-reader.ts';
import { INDEX_RECORD, type StreamName } from './log-segments.ts';
import { LogWriter } from './log-writer.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-log-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function print(log: LogWriter, stream: StreamName, text: string): void {
  const { fd, offset } = log.target(stream);
  log.wrote(stream, writeSync(fd, text, offset));
}

function readAll(reader: LogReader): string[] {
  return [...reader.read()].map(({ stream, data }) => `${stream}: ${data.toString()}`);
}

function open(): LogReader {
  const reader = LogReader.open(folder);
  if (reader === undefined) throw new Error('no log');
  return reader;
}

test('there is no log before there is a writer', () => {
  expect(LogReader.open(folder)).toBeUndefined();
});

test('both streams are read in the order they were written in, and on from there', () => {
  using log = new LogWriter(folder);
  print(log, 'stdout', 'one');
  print(log, 'stderr', 'two');
  print(log, 'stdout', 'three');
  using reader = open();
  expect(readAll(reader)).toEqual(['stdout: one', 'stderr: two', 'stdout: three']);
  print(log, 'stderr', 'four');
  expect(readAll(reader)).toEqual(['stderr: four']);
  expect(readAll(reader)).toEqual([]);
});

test('chunks are handed out in pieces of the limit', () => {
  using log = new LogWriter(folder);
  print(log, 'stdout', 'abcde');
  using reader = open();
  expect([...reader.read(2)].map(({ data }) => data.toString())).toEqual(['ab', 'cd', 'e']);
});

test('a second writer goes on where the first ended; seek finds its beginning', () => {
  {
    using log = new LogWriter(folder);
    print(log, 'stdout', 'first');
  }
  using log = new LogWriter(folder);
  const { position } = log;
  print(log, 'stderr', 'second');
  using reader = open();
  reader.seek(position);
  expect(readAll(reader)).toEqual(['stderr: second']);
  reader.seek(0);
  expect(readAll(reader)).toEqual(['stdout: first', 'stderr: second']);
  reader.seek(Number.MAX_SAFE_INTEGER);
  expect(readAll(reader)).toEqual([]);
});

test('what a writer killed between output and index has left is indexed by the next', () => {
  {
    using log = new LogWriter(folder);
    print(log, 'stdout', 'one');
    const { fd, offset } = log.target('stdout');
    writeSync(fd, 'two', offset);
  }
  using log = new LogWriter(folder);
  print(log, 'stdout', 'three');
  using reader = open();
  expect(readAll(reader)).toEqual(['stdout: one', 'stdout: two', 'stdout: three']);
});

test('a torn record at the end of the index is written over', () => {
  {
    using log = new LogWriter(folder);
    print(log, 'stdout', 'one');
  }
  appendFileSync(join(folder, 'index.log'), Buffer.alloc(INDEX_RECORD.size - 3, 0xff));
  using log = new LogWriter(folder);
  print(log, 'stdout', 'two');
  expect(statSync(join(folder, 'index.log')).size).toBe(2 * INDEX_RECORD.size);
  using reader = open();
  expect(readAll(reader)).toEqual(['stdout: one', 'stdout: two']);
});

test('output that the index tells of and the disk has lost is left out', () => {
  using log = new LogWriter(folder);
  print(log, 'stdout', 'one');
  print(log, 'stderr', 'two');
  truncateSync(join(folder, 'stdout.log'), 0);
  using reader = open();
  expect(readAll(reader)).toEqual(['stderr: two']);
});

test('following hands over what is there, what comes, and what is there at the end', async () => {
  using log = new LogWriter(folder);
  print(log, 'stdout', 'before');
  using reader = open();
  const stop = new AbortController();
  const seen: string[] = [];
  const done = followLog(folder, reader, stop.signal, ({ data }) => {
    seen.push(data.toString());
    if (data.toString() === 'before') print(log, 'stdout', 'meanwhile');
    if (data.toString() === 'meanwhile') {
      print(log, 'stdout', 'last');
      stop.abort();
    }
    return Promise.resolve();
  });
  await done;
  expect(seen).toEqual(['before', 'meanwhile', 'last']);
});

test('a limited log goes on in further files, and the oldest go', () => {
  using log = new LogWriter(folder, { maxSize: 10, maxFiles: 2 });
  using early = open();
  for (let i = 0; i < 10; i++) print(log, i % 2 === 0 ? 'stdout' : 'stderr', `line${i}`);
  expect(readdirSync(folder).filter((name) => name.startsWith('index'))).toHaveLength(2);
  expect(readdirSync(folder)).toHaveLength(6);
  using reader = open();
  expect(readAll(reader)).toEqual(['stdout: line8', 'stderr: line9']);
  // Whoever had the first open reads it to its end, and goes on with what is left.
  expect(readAll(early)).toEqual(['stdout: line0', 'stderr: line1', 'stdout: line8', 'stderr: line9']);
  print(log, 'stdout', 'more');
  expect(readAll(reader)).toEqual(['stdout: more']);
  expect(readAll(early)).toEqual(['stdout: more']);
});

test('positions go on over files, and over writers', () => {
  const limits = { maxSize: 8, maxFiles: 3 };
  const positions: number[] = [];
  for (let i = 0; i < 7; i++) {
    using log = new LogWriter(folder, limits);
    positions.push(log.position);
    print(log, 'stdout', `out${i}`);
  }
  expect(positions).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i * INDEX_RECORD.size));
  using reader = open();
  reader.seek(positions[5]!);
  expect(readAll(reader)).toEqual(['stdout: out5', 'stdout: out6']);
  // What has gone cannot be found: its successors are.
  reader.seek(positions[0]!);
  expect(readAll(reader)).toEqual([2, 3, 4, 5, 6].map((i) => `stdout: out${i}`));
});

test('no more than there is room for goes into one file', () => {
  using log = new LogWriter(folder, { maxSize: 10, maxFiles: 2 });
  expect(log.target('stdout').room).toBe(10);
  print(log, 'stdout', 'four');
  expect(log.target('stderr').room).toBe(6);
});

test('files that a killed writer has made before their index are none, and are written over', () => {
  const limits = { maxSize: 4, maxFiles: 2 };
  using log = new LogWriter(folder, limits);
  appendFileSync(join(folder, `stdout.${INDEX_RECORD.size}.log`), '');
  print(log, 'stdout', 'four');
  print(log, 'stdout', 'five');
  using reader = open();
  expect(readAll(reader)).toEqual(['stdout: five']);
});

test('following goes over to the next file', async () => {
  using log = new LogWriter(folder, { maxSize: 4, maxFiles: 3 });
  using reader = open();
  const stop = new AbortController();
  const seen: string[] = [];
  const done = followLog(folder, reader, stop.signal, ({ data }) => {
    seen.push(data.toString());
    if (seen.length === 20) stop.abort();
    else print(log, 'stdout', `n${String(seen.length).padStart(3, '0')}`);
    return Promise.resolve();
  });
  print(log, 'stdout', 'n000');
  await done;
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `n${String(i).padStart(3, '0')}`));
});
