/** An image tree as programs see it. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  chmodSync,
  readdirSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packDirectory, type PackedTree } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
let packed: PackedTree;

function makeSource(): void {
  mkdirSync(join(source, 'deep/er/and/deeper'), { recursive: true });
  mkdirSync(join(source, 'many'));
  mkdirSync(join(source, 'empty'));
  for (let index = 0; index < 4000; index++)
    writeFileSync(join(source, 'many', `file-with-a-name-${index}`), `${index}`);
  writeFileSync(join(source, 'deep/er/file'), 'one\n');
  linkSync(join(source, 'deep/er/file'), join(source, 'hard'));
  symlinkSync('deep/er/file', join(source, 'sym'));
  symlinkSync('/nowhere/at/all', join(source, 'dangling'));
  writeFileSync(
    join(source, 'large'),
    Buffer.from(Uint32Array.from({ length: 3_000_000 }, (_, index) => index * 7).buffer),
  );
  truncateSync(join(source, 'large'), 11_999_999);
  writeFileSync(join(source, 'zero'), '');
  writeFileSync(join(source, 'modes'), 'x');
  chmodSync(join(source, 'modes'), 0o6751);
  utimesSync(join(source, 'modes'), 1, 1_234_567_890.123456);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0xfe, 0x0a, 0x20])]), 'odd name');
  execFileSync('mkfifo', [join(source, 'fifo')]);
  copyFileSync('/bin/echo', join(source, 'echo'));
}

beforeAll(async () => {
  makeSource();
  packed = packDirectory(source, join(sandbox.directory, 'packed'), {
    xattrs: (path) => (path === 'modes' ? [{ name: Buffer.from('user.color'), value: Buffer.from('blue') }] : []),
  });
  await sandbox.start('--tree', packed.index, '--files', packed.files, '--owner');
});

afterAll(async () => {
  await sandbox.end();
});

/** Everything but owners (presented as 0) and the sizes of directories. */
const listing = String.raw`find . -printf '%p %y %m %n %T@ %l\n' | sort; find . -type f -printf '%p %s\n' | sort`;

test('every name, type, mode, link count, time, target and size', () => {
  const expected = execFileSync('sh', ['-c', listing], { cwd: source, encoding: 'utf8', maxBuffer: 1 << 26 });
  expect(sandbox.run(`cd "$M" && ${listing}`)).toBe(expected);
  expect(sandbox.run(`find "$M" ! -user 0 -o ! -group 0`)).toBe('');
});

test('every byte', () => {
  const sums = 'find . -type f -print0 | sort -z | xargs -0 sha256sum';
  const expected = execFileSync('sh', ['-c', sums], { cwd: source, encoding: 'utf8', maxBuffer: 1 << 26 });
  expect(sandbox.run(`cd "$M" && ${sums}`)).toBe(expected);
  const tar = 'tar --sort=name --owner=0 --group=0 -cf - . | sha256sum';
  expect(sandbox.run(`cd "$M" && ${tar}`)).toBe(execFileSync('sh', ['-c', tar], { cwd: source, encoding: 'utf8' }));
});

test('hard links are one inode', () => {
  expect(sandbox.run('stat -c %i "$M/hard"')).toBe(sandbox.run('stat -c %i "$M/deep/er/file"'));
});

test('reads at any offset, beyond the end, by mmap', () => {
  expect(sandbox.run('tail -c 3 "$M/large" | od -An -tx1')).toBe(
    execFileSync('sh', ['-c', 'tail -c 3 large | od -An -tx1'], { cwd: source, encoding: 'utf8' }),
  );
  expect(sandbox.run('dd if="$M/large" bs=1 skip=20000000 count=5 2>/dev/null | wc -c').trim()).toBe('0');
  expect(sandbox.run('grep -c . "$M/deep/er/file"').trim()).toBe('1');
});

test('names that are not there, again and again', () => {
  for (let round = 0; round < 2; round++) expect(() => sandbox.run('cat "$M/absent"')).toThrow('No such file');
  expect(() => sandbox.run('cat "$M/zero/x"')).toThrow('Not a directory');
});

test('is read-only', () => {
  expect(() => sandbox.run('touch "$M/new"')).toThrow('Read-only file system');
  expect(() => sandbox.run('rm "$M/zero"')).toThrow('Read-only file system');
  expect(() => sandbox.run('echo x >> "$M/zero"')).toThrow('Read-only file system');
});

test('extended attributes', () => {
  const get = `python3 -c 'import os,sys; print(os.listxattr(sys.argv[1]), os.getxattr(sys.argv[1], "user.color"))' "$M/modes"`;
  if (spawnSync('python3', ['--version']).status !== 0) return;
  expect(sandbox.run(get).trim()).toBe("['user.color'] b'blue'");
  expect(() => sandbox.run(get.replace('/modes', '/zero'))).toThrow();
});

test('lists . and .. and continues a long listing where it stopped', () => {
  expect(sandbox.run('ls -fa "$M/many" | head -2')).toBe('.\n..\n');
  expect(sandbox.run('ls "$M/many" | wc -l').trim()).toBe(String(readdirSync(join(source, 'many')).length));
  expect(sandbox.run('stat -f -c %T "$M"').trim()).toMatch(/fuse/);
});

test('a kernel overlay over it, in a nested user namespace, runs a program of it and writes', () => {
  const nested = `
    set -e
    mkdir -p "$D/upper" "$D/work" "$D/merged"
    unshare -Urm sh -e -c '
      mount -t overlay overlay -o "userxattr,lowerdir=$M,upperdir=$D/upper,workdir=$D/work" "$D/merged"
      cat "$D/merged/deep/er/file"
      echo two >> "$D/merged/deep/er/file"
      rm "$D/merged/zero"
      cat "$D/merged/deep/er/file"
      "$D/merged/echo" it runs
      "$D/merged/deep/../echo" "$(ls "$D/merged" | wc -l)"
    '
    ls -A "$D/upper"`;
  expect(sandbox.run(nested)).toBe('one\none\ntwo\nit runs\n12\ndeep\nzero\n');
  expect(sandbox.run('cat "$M/deep/er/file"')).toBe('one\n');
});
