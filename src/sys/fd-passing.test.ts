import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { receiveWithFds, sendWithFds } from './fd-passing.ts';
import { makePipe, makeSocketPair } from './pipe.ts';

let ends: [number, number];

beforeEach(() => {
  ends = makeSocketPair();
});

afterEach(() => {
  for (const fd of ends) closeSync(fd);
});

function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

test('a pipe goes over with its data, and is a duplicate', () => {
  const [read, write] = makePipe();
  expect(sendWithFds(ends[0], Buffer.from('hello'), [write])).toBe(5);
  closeSync(write);
  const { data, fds } = receiveWithFds(ends[1], 100);
  expect(data.toString()).toBe('hello');
  expect(fds).toHaveLength(1);
  writeSync(fds[0]!, 'x');
  closeSync(fds[0]!);
  const got = Buffer.alloc(2);
  expect(readSync(read, got)).toBe(1);
  expect(readSync(read, got)).toBe(0);
  closeSync(read);
});

test('data without fds, and the end of file', () => {
  sendWithFds(ends[0], Buffer.from('x'), []);
  expect(receiveWithFds(ends[1], 100)).toEqual({ data: Buffer.from('x'), fds: [] });
  closeSync(ends[0]);
  expect(receiveWithFds(ends[1], 100)).toEqual({ data: Buffer.alloc(0), fds: [] });
  ends[0] = openSync('/dev/null', 'r');
});

test('sixteen fds are received, of more none stays open', () => {
  sendWithFds(ends[0], Buffer.from('x'), Array<number>(16).fill(ends[0]));
  const { fds } = receiveWithFds(ends[1], 1);
  expect(new Set(fds).size).toBe(16);
  for (const fd of fds) expect(fstatSync(fd).isSocket()).toBe(true);
  for (const fd of fds) closeSync(fd);

  const before = openFds();
  sendWithFds(ends[0], Buffer.from('x'), Array<number>(20).fill(ends[0]));
  expect(() => receiveWithFds(ends[1], 1)).toThrow('more than 16');
  expect(openFds()).toBe(before);
});
