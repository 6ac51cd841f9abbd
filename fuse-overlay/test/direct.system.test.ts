/** Overlayfs reads large files from the store by itself, led there by the tree (Linux 6.16). */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packDirectory, type PackedTree } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
const [major, minor] = release().split('.').map(Number) as [number, number];
const supported = major > 6 || (major === 6 && minor >= 16);
let packed: PackedTree;

beforeAll(async () => {
  mkdirSync(join(source, 'd'), { recursive: true });
  writeFileSync(join(source, 'd', 'large'), Buffer.alloc(3_000_001, 'large '));
  writeFileSync(join(source, 'd', 'small'), 'small\n');
  packed = packDirectory(source, join(sandbox.directory, 'packed'));
  await sandbox.start('--tree', packed.index, '--files', packed.files, '--owner', '--direct', '4096', '--debug');
});

afterAll(async () => {
  await sandbox.end();
});

test.skipIf(!supported)(
  'no READ comes for them, and writing to them changes only the upper layer (Linux 6.16)',
  async () => {
    const sum = execFileSync('sha256sum', [join(source, 'd', 'large')], { encoding: 'utf8' }).slice(0, 64);
    const output = sandbox.run(`
    set -e
    mkdir "$D/work" "$D/merged"
    mount -t overlay overlay -o "userxattr,lowerdir=$M::${packed.files},upperdir=$D/upper,workdir=$D/work" "$D/merged"
    cd "$D/merged/d"
    sha256sum large | cut -c -64
    cat small
    stat -c %s large
    echo more >> large
    stat -c %s large
    stat -c %s "$M/d/large"
    sha256sum "$M/d/large" | cut -c -64
    cd /
    umount "$D/merged"`);
    expect(output).toBe(`${sum}\nsmall\n3000001\n3000006\n3000001\n${sum}\n`);
    // The tree itself, read without an overlay, is served by READs: the one of the small file and those of the last sum.
    while (!sandbox.errors.includes('READ ')) await new Promise((resolve) => setTimeout(resolve, 20));
    const lines = sandbox.errors.split('\n');
    const reads = lines.flatMap((line, index) => (line.startsWith('READ ') ? [index] : []));
    const redirected = lines.findIndex((line) => /"user.overlay.redirect" -> 66 bytes/.test(line));
    expect(redirected).toBeGreaterThan(-1);
    expect(lines[reads[0]!]).toMatch(/^READ \d+ -> 6 bytes/);
  },
);
