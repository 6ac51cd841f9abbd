import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitCodeOf, EXIT_FILE, EXIT_TEMPORARY, readExit, reserveExit } from './running-container.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-exit-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  [0, 0],
  [3 << 8, 3],
  [255 << 8, 255],
  [9, 137],
  [11 | 0x80, 139], // with a core dump
])('wait status %i is exit code %i', (status, code) => {
  expect(exitCodeOf(status)).toBe(code);
  writeFileSync(join(folder, EXIT_FILE), `${String(status).padEnd(15)}\n`);
  expect(readExit(folder)).toEqual({ exitCode: code });
});

test.each(['', '   ', 'x', '1x'])('a status of %j is none', (text) => {
  writeFileSync(join(folder, EXIT_FILE), text);
  expect(readExit(folder)).toEqual({ exitCode: 137, error: 'its monitor process was killed' });
});

test('a start to come has room for its status, and none of the start before', () => {
  writeFileSync(join(folder, EXIT_FILE), '256\n');
  reserveExit(folder);
  expect(existsSync(join(folder, EXIT_FILE))).toBe(false);
  expect(readFileSync(join(folder, EXIT_TEMPORARY), 'latin1')).toBe(' '.repeat(16));
  expect(readExit(folder).exitCode).toBe(137);
});
