import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AT_FDCWD, O } from '../sys/linux-constants.ts';
import { LaunchPlan } from './plan.ts';
import { startMonitor } from './start.ts';

let top: string;
let folder: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'trun-remove-'));
  folder = join(top, 'tree');
  mkdirSync(folder);
});

afterEach(() => {
  rmSync(top, { recursive: true });
});

/** Empties the folder with the monitor's own program. */
async function empty(): Promise<void> {
  const plan = new LaunchPlan();
  const fd = plan.call('openat', [AT_FDCWD, folder, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, 0], 'open it');
  plan.pseudo('remove_tree', [fd], 'empty it');
  await startMonitor(plan).next();
}

/** Makes a chain of folders that is far longer than any path may be: in a process that can change its folder. */
function nest(depth: number): void {
  const script = `const fs = require('fs');
    for (let i = 0; i < ${depth}; i++) { fs.mkdirSync('d'); process.chdir('d'); fs.writeFileSync('f', ''); }`;
  execFileSync(process.execPath, ['-e', script], { cwd: folder });
}

test('a tree that is deeper than a path can be long', async () => {
  nest(5000);
  await empty();
  expect(readdirSync(folder)).toEqual([]);
});

test('more names than one read of a folder gives, and names like those that it moves folders to', async () => {
  for (let i = 0; i < 2000; i++) writeFileSync(join(folder, `file-${i}`), '');
  for (let i = 0; i < 20; i++) {
    mkdirSync(join(folder, `~${i}/~${i}/~${i + 1}`), { recursive: true });
    writeFileSync(join(folder, `~${i}/~${i}/file`), '');
  }
  await empty();
  expect(readdirSync(folder)).toEqual([]);
});

test('links are removed, and what they point at is left alone', async () => {
  const outside = join(top, 'outside');
  mkdirSync(join(outside, 'inner'), { recursive: true });
  writeFileSync(join(outside, 'inner/file'), 'kept');
  chmodSync(join(outside, 'inner'), 0o500);
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  for (const path of ['link', 'a/link', 'a/b/link']) symlinkSync(outside, join(folder, path));
  await empty();
  expect(readdirSync(folder)).toEqual([]);
  expect(existsSync(join(outside, 'inner/file'))).toBe(true);
  chmodSync(join(outside, 'inner'), 0o700);
});

test('folders that their owner may neither read, enter nor write', async () => {
  for (const mode of [0o000, 0o100, 0o400, 0o500]) {
    mkdirSync(join(folder, `${mode}/inner/inmost`), { recursive: true });
    writeFileSync(join(folder, `${mode}/inner/file`), '');
    chmodSync(join(folder, `${mode}/inner`), mode);
    chmodSync(join(folder, `${mode}`), mode);
  }
  chmodSync(folder, 0o500);
  await empty();
  expect(readdirSync(folder)).toEqual([]);
});
