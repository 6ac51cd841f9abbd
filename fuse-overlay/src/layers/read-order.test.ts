import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ReadOrder } from './read-order.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  path = join(directory, 'order');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Everything that is read ahead according to the file. */
function ahead(): [number, number][] {
  const asked: [number, number][] = [];
  const order = new ReadOrder(path, { willNeed: (content, length) => asked.push([content, length]) });
  while (order.prefetch());
  return asked;
}

test('what was read first is read ahead, in that order, as far as it was read', () => {
  const order = new ReadOrder(path, { willNeed: () => undefined });
  for (const [content, end] of [
    [7, 100],
    [3, 131072],
    [7, 5000],
    [9, 1],
    [3, 4096],
  ] as const) {
    order.note(content, end);
  }
  order.save();
  order.note(1, 1);
  order.save();
  expect(ahead()).toEqual([
    [7, 8192],
    [3, 131072],
    [9, 4096],
  ]);
});

test('nothing read leaves what was remembered', () => {
  const order = new ReadOrder(path, { willNeed: () => undefined });
  order.note(5, 1);
  order.save();
  new ReadOrder(path, { willNeed: () => undefined }).save();
  expect(ahead()).toEqual([[5, 4096]]);
});

test('remembers no more than a limit, and reads no more than a limit ahead', () => {
  const order = new ReadOrder(path, { willNeed: () => undefined });
  for (let content = 0; content < 10_000; content++) order.note(content, 2 ** 40);
  expect(readFileSync(path).length).toBe(4096 * 8);
  const asked = ahead();
  expect(asked.every(([, length]) => length <= 8 << 20)).toBe(true);
  expect(asked.reduce((sum, [, length]) => sum + length, 0)).toBeLessThanOrEqual(256 << 20);
});

test('a damaged or missing file is no hint at all, and no error', () => {
  expect(ahead()).toEqual([]);
  writeFileSync(path, 'abc');
  expect(ahead()).toEqual([]);
  const order = new ReadOrder(join(directory, 'no/such/place'), { willNeed: () => undefined });
  order.note(1, 1);
  expect(() => order.save()).not.toThrow();
});
