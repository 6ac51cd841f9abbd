/** Contents that are not in the page cache: requests for them wait for the disk, others do not wait for them. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dropCached } from '../src/sys/io.ts';
import { packDirectory, type PackedTree } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
let packed: PackedTree;

beforeAll(async () => {
  mkdirSync(source);
  for (let file = 0; file < 200; file++) writeFileSync(join(source, `f${file}`), `${file} `.repeat(50 + file * 40));
  packed = packDirectory(source, join(sandbox.directory, 'packed'));
  execFileSync('sync');
  for (const name of readdirSync(packed.files, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const fd = openSync(join(name.parentPath, name.name), 'r');
    dropCached(fd);
    closeSync(fd);
  }
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
