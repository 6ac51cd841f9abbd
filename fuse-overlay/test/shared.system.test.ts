/** Many containers of one image: what one of them has read, the others find in the page cache (user overlays, Linux 5.11). */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packDirectory } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
const files = 200;
const [major, minor] = release().split('.').map(Number) as [number, number];
const supported = major > 5 || (major === 5 && minor >= 11);

beforeAll(async () => {
  mkdirSync(source);
  for (let file = 0; file < files; file++) writeFileSync(join(source, `file${file}`), `${file}\n`.repeat(100 + file));
  const packed = packDirectory(source, join(sandbox.directory, 'packed'));
  await sandbox.start('--tree', packed.index, '--files', packed.files, '--owner', '--counters');
});

afterAll(async () => {
  await sandbox.end();
});

test.skipIf(!supported)('ten overlays over one mount read each file once', async () => {
  const sum = execFileSync('sh', ['-c', 'cat * | sha256sum'], { cwd: source, encoding: 'utf8' });
  const output = sandbox.run(`
    for container in 1 2 3 4 5 6 7 8 9 10; do
      mkdir -p "$D/$container/upper" "$D/$container/work" "$D/$container/root"
      cd "$D/$container"
      mount -t overlay overlay -o "userxattr,lowerdir=$M,upperdir=upper,workdir=work" root
      cd root
      cat * | sha256sum
      cd /
      umount "$D/$container/root"
      chmod -R u+rwX "$D/$container/work"
    done`);
  expect(output).toBe(sum.repeat(10));
  await sandbox.unmount();
  const counts = JSON.parse(sandbox.errors.trim().split('\n').at(-1)!) as Record<string, { requests: number }>;
  expect(counts['READ']!.requests).toBe(files);
  expect(counts['READDIRPLUS']!.requests).toBeLessThan(files);
});
