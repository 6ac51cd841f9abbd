import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readJson, writeFileAtomic, writeJson } from './atomic-file.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-atomic-'));
});

afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

test('a file is written with its mode, and replaced', () => {
  const path = join(folder, 'file');
  writeFileAtomic(path, 'one');
  const { ino } = statSync(path);
  writeFileAtomic(path, Buffer.from('two'));
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(statSync(path).ino).not.toBe(ino);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['file']);
});

test.skipIf(process.getuid!() === 0)('the old content stays where a new file may not be made', () => {
  const path = join(folder, 'file');
  writeFileAtomic(path, 'old');
  chmodSync(folder, 0o500);
  expect(() => writeFileAtomic(path, 'new')).toThrow('EACCES');
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test('what cannot take its place leaves nothing behind', () => {
  const path = join(folder, 'taken');
  mkdirSync(path);
  expect(() => writeFileAtomic(path, 'new')).toThrow('EISDIR');
  expect(readdirSync(folder)).toEqual(['taken']);
});

test('JSON comes back as it was; no file is nothing, and no JSON is named', () => {
  const path = join(folder, 'file.json');
  expect(readJson(path)).toBeUndefined();
  expect(readJson(join(path, 'below'))).toBeUndefined();
  writeJson(path, { a: [1, 'é'] });
  expect(readJson(path)).toEqual({ a: [1, 'é'] });
  expect(readJson(join(path, 'below'))).toBeUndefined();
  writeFileSync(path, '{"a":');
  expect(() => readJson(path)).toThrow(`Cannot read ${path}: it is not JSON`);
});
