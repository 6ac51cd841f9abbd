/** The upper layer as a tree in overlayfs' form: what is mirrored there and read again is the same. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileType } from '../../src/index.ts';
import { openUnion } from '../../src/overlay/open-union.ts';
import { MemoryLayer } from './memory-layer.ts';
import { Random } from './random.ts';
import { UnionClient } from './union-client.ts';

const { EXDEV } = constants.errno;
let dir: string;
let tree: string;
let stores = 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'union-tree-'));
  tree = join(dir, 'tree');
  mkdirSync(tree);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function sampleLayer(): MemoryLayer {
  const layer = new MemoryLayer(false);
  for (const top of ['etc', 'usr']) {
    const directory = layer.add(layer.rootNode, top, FileType.directory | 0o755);
    for (let index = 0; index < 4; index++) {
      const file = layer.add(directory, `file${index}`, FileType.file | 0o644, {
        content: Buffer.from(`${top} ${index} `.repeat(index * 300)),
      });
      if (index === 2) file.xattrs.set('user.color', Buffer.from('green'));
    }
    const nested = layer.add(directory, 'nested', FileType.directory | 0o700);
    layer.add(nested, 'deep', FileType.file | 0o600, { content: Buffer.from('deep') });
    layer.add(nested, 'symlink', FileType.symlink | 0o777, { target: Buffer.from('../file1') });
  }
  return layer;
}

/** With a store of its own each time: only the tree lasts. */
function open(): UnionClient {
  return new UnionClient(openUnion({ lower: sampleLayer(), upperDir: join(dir, `store${stores++}`), tree }));
}

/** Everything but owners, which an ordinary user can't give, times, which after a write are the disk's, and numbers. */
function describe(client: UnionClient): string[] {
  const lines: string[] = [];
  function walk(ino: number, path: string): void {
    client.getattr(ino);
    const { mode, nlink, size } = client.attributes;
    const type = mode & FileType.mask;
    const content = type === FileType.file ? createHash('md5').update(client.readAll(ino)).digest('hex') : '';
    const target = type === FileType.symlink ? client.readlink(ino) : '';
    const xattrs = client.listxattr(ino).sort();
    const values = xattrs.map((name) => String(client.getxattr(ino, name)));
    const isDirectory = type === FileType.directory;
    lines.push(JSON.stringify([path, mode, isDirectory ? 0 : [nlink, size], content, target, xattrs, values]));
    if (!isDirectory) return;
    for (const { name } of client.readdir(ino).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = client.lookup(ino, name);
      walk(child, `${path}/${name}`);
      client.forget(child, 1);
    }
  }
  walk(1, '');
  return lines;
}

function step(client: UnionClient, random: Random): void {
  const directories = [1];
  const files: { parent: number; name: string; ino: number }[] = [];
  const places: { parent: number; name: string }[] = [];
  for (let at = 0; at < directories.length; at++) {
    const parent = directories[at]!;
    for (const { name, ino, mode } of client.readdir(parent)) {
      client.lookup(parent, name);
      places.push({ parent, name });
      const type = mode & FileType.mask;
      if (type === FileType.directory) directories.push(ino);
      else if (type === FileType.file) files.push({ parent, name, ino });
    }
  }
  const parent = random.pick(directories);
  const name = random.pick(['a', 'b', '\xff\n', 'file1', 'nested', 'etc']);
  const place = random.pick(places);
  const file = random.pick(files);
  const mode = random.pick([0o644, 0o755, 0o600]);
  const actions = [
    () => client.mknod(parent, name, FileType.file | mode),
    () => client.mknod(parent, name, FileType.fifo | mode),
    () => client.mkdir(parent, name, 0o755),
    () => client.symlink(parent, name, `to/${name}`),
    () => client.unlink(place.parent, place.name),
    () => client.rmdir(place.parent, place.name),
    // Files only: the kernel keeps directories out of themselves.
    () => client.rename(file.parent, file.name, parent, name, random.pick([0, 1, 2])),
    () => client.write(file.ino, random.below(3000), random.bytes(2000)),
    () => client.setattr(file.ino, { mode, mtime: random.below(2 ** 31) }),
    () => client.setattr(file.ino, { size: random.pick([0, random.below(9000)]) }),
    () => client.setxattr(file.ino, 'user.b', random.bytes(20)),
    // Of a file that has names in the tree alone: a lower file's other names cannot follow there.
    () => (file.ino >= 2 ** 52 ? client.link(file.ino, parent, name) : 0),
  ];
  random.pick(actions)();
}

test.each([1, 2, Date.now() % 1_000_000])('random operations, seed %i', (seed) => {
  const random = new Random(seed);
  let client = open();
  for (let round = 0; round < 6; round++) {
    for (let each = 0; each < 60; each++) step(client, random);
    const before = describe(client);
    client.fs.close();
    client = open();
    expect(describe(client)).toEqual(before);
  }
  client.fs.close();
});

test('directories: of the upper layer they move, those of the lower one do not', () => {
  const client = open();
  const etc = client.lookup(1, 'etc');
  expect(client.rename(1, 'usr', 1, 'moved', 0)).toBe(-EXDEV);
  const made = client.mkdir(etc, 'made', 0o755);
  client.mknod(made, 'in', FileType.file | 0o644);
  expect(client.rename(etc, 'made', 1, 'moved', 0)).toBe(0);
  for (const name of ['deep', 'symlink']) client.unlink(client.lookup(etc, 'nested'), name);
  expect(client.rename(1, 'moved', etc, 'nested', 0)).toBe(0);
  const other = client.mkdir(1, 'other', 0o755);
  expect(client.rename(1, 'other', etc, 'nested', 2)).toBe(0);
  expect(client.lookup(etc, 'nested')).toBe(other);
  const before = describe(client);
  client.fs.close();
  const again = open();
  expect(describe(again)).toEqual(before);
  again.fs.close();
});

test('what overlayfs or fuse-overlayfs wrote is read', () => {
  const script = `mkdir -p etc/nested usr; echo upper > etc/file1; touch etc/.wh.file2 usr/.wh..wh..opq usr/only
    ln etc/file1 etc/linked; ln -s x etc/file3; chmod 700 etc; mkfifo etc/fifo`;
  execFileSync('sh', ['-e', '-c', script], { cwd: tree });
  const client = open();
  const etc = client.lookup(1, 'etc');
  expect(client.attributes.mode & 0o777).toBe(0o700);
  expect(
    client
      .readdir(etc)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['fifo', 'file0', 'file1', 'file3', 'linked', 'nested'].sort());
  expect(client.readdir(client.lookup(1, 'usr')).map(({ name }) => name)).toEqual(['only']);
  expect(client.lookup(etc, 'file1')).toBe(client.lookup(etc, 'linked'));
  expect(client.attributes.nlink).toBe(2);
  // Contents are shared with the tree.
  client.write(client.lookup(etc, 'linked'), 0, Buffer.from('UP'));
  expect(execFileSync('cat', [join(tree, 'etc/file1')], { encoding: 'utf8' })).toBe('UPper\n');
  client.fs.close();
});
