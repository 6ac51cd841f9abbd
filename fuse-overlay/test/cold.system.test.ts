/** Contents that are not in the page cache: requests for them wait for the disk, others do not wait for them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dropCached } from '../src/sys/io.ts';
import { packDirectory, type PackedTree } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
let packed: PackedTree;

function contents(): string[] {
  return readdirSync(packed.files, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

const hasFincore = spawnSync('fincore', ['--version']).status === 0;

/** How many contents have pages in the page cache. */
function cached(): number {
  const argv = ['--bytes', '--noheadings', '--raw', '--output', 'RES', ...contents()];
  const sizes = execFileSync('fincore', argv, { encoding: 'utf8' }).trim().split('\n');
  return sizes.filter((size) => Number(size) > 0).length;
}

beforeAll(async () => {
  mkdirSync(source);
  for (let file = 0; file < 200; file++) writeFileSync(join(source, `f${file}`), `${file} `.repeat(50 + file * 40));
  packed = packDirectory(source, join(sandbox.directory, 'packed'));
  execFileSync('sync');
  for (const path of contents()) withFile(path, dropCached);
  await sandbox.start('--tree', packed.index, '--files', packed.files, '--owner');
});

afterAll(async () => {
  await sandbox.end();
});

test('four readers at once read every byte', () => {
  const sums = 'sha256sum * | sha256sum';
  const expected = execFileSync('sh', ['-c', sums], { cwd: source, encoding: 'utf8' });
  const script = `cd "$M"; for n in 1 2 3; do { ls -r | xargs cat > /dev/null; } & done; ${sums}; wait`;
  expect(sandbox.run(script)).toBe(expected);
});

test.skipIf(!hasFincore)('what was read after one mount is read ahead after the next (needs fincore)', async () => {
  const order = join(sandbox.directory, 'packed', 'order');
  sandbox.own(join(sandbox.directory, 'packed'));
  const first = new Sandbox();
  await first.start('--tree', packed.index, '--files', packed.files, '--owner', '--order', order);
  first.run('cat "$M/f150" "$M/f3" "$M/f77" > /dev/null');
  await first.end();
  expect(existsSync(order)).toBe(true);

  for (const path of contents()) withFile(path, dropCached);
  expect(cached()).toBe(0);
  const second = new Sandbox();
  await second.start('--tree', packed.index, '--files', packed.files, '--owner', '--order', order);
  for (let tries = 0; cached() < 3 && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(cached()).toBe(3);
  await second.end();
});
