import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock, tryLock } from './lock.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-lock-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('one holds it, and the next gets it when that one lets go', async () => {
  const path = join(folder, 'lock');
  const first = tryLock(path)!;
  expect(tryLock(path)).toBeUndefined();
  const waiting = takeLock(path);
  first[Symbol.dispose]();
  const second = await waiting;
  expect(tryLock(path)).toBeUndefined();
  second[Symbol.dispose]();
});

test('many may share it, and keep out who wants it alone', () => {
  const path = join(folder, 'lock');
  using _one = tryLock(path, 'shared');
  using two = tryLock(path, 'shared');
  expect(two).toBeDefined();
  expect(tryLock(path, 'exclusive')).toBeUndefined();
});
