import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attributes, FileType, makeDevice } from '../server/attributes.ts';
import { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import { contentPath } from './content-store.ts';
import { ImageTree, imageTreeContents, openImageTree } from './image-tree.ts';
import { layerEntry, layerPath, parseWhiteout, type LayerEntry } from './layer.ts';
import { LayerListWriter } from './layer-list.ts';
import { mergeLayers, type MergeResult } from './merge-layers.ts';

let directory: string;
let trees: ImageTree[];
let result: MergeResult;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  mkdirSync(join(directory, 'files'));
  trees = [];
});
afterEach(() => {
  for (const tree of trees) tree.close();
  rmSync(directory, { recursive: true });
});

function dir(path: string, fields: Partial<LayerEntry> = {}): LayerEntry {
  return layerEntry({ path: layerPath(Buffer.from(path)), type: 'directory', mode: 0o755, ...fields });
}

function file(path: string, text: string, fields: Partial<LayerEntry> = {}): LayerEntry {
  const contentId = createHash('sha256').update(text).digest();
  const stored = join(directory, 'files', contentPath(contentId));
  mkdirSync(dirname(stored), { recursive: true });
  writeFileSync(stored, text);
  const size = Buffer.byteLength(text);
  return layerEntry({ path: layerPath(Buffer.from(path)), type: 'file', mode: 0o644, size, contentId, ...fields });
}

function symlink(path: string, target: string): LayerEntry {
  return layerEntry({ path: Buffer.from(path), type: 'symlink', mode: 0o777, target: Buffer.from(target) });
}

function hardlink(path: string, target: string): LayerEntry {
  return layerEntry({ path: Buffer.from(path), type: 'hardlink', target: Buffer.from(target) });
}

/** As a tar would name it. */
function marker(path: string): LayerEntry {
  const parsed = parseWhiteout(Buffer.from(path));
  if (typeof parsed !== 'object') throw new Error(`${path} is no whiteout`);
  return layerEntry(parsed);
}

function merge(...layers: LayerEntry[][]): ImageTree {
  const lists = layers.map((entries, index) => {
    const writer = new LayerListWriter();
    for (const entry of entries) writer.add(entry);
    const list = join(directory, `layer${index}`);
    writer.commit(list);
    return list;
  });
  result = mergeLayers(lists, join(directory, 'index'));
  const tree = openImageTree(join(directory, 'index'), openSync(join(directory, 'files'), 'r'));
  trees.push(tree);
  return tree;
}

function find(tree: ImageTree, path: string): number {
  let node = tree.root;
  for (const name of path.split('/').filter(Boolean)) {
    node = tree.lookup(node, new Name(Buffer.from(name)));
    if (node < 0) return node;
  }
  return node;
}

function list(tree: ImageTree, path = ''): string[] {
  const names: string[] = [];
  tree.readdir(find(tree, path), (name) => names.push(name.toString()));
  return names;
}

function attributes(tree: ImageTree, path: string): Attributes {
  const out = new Attributes();
  expect(tree.getattr(find(tree, path), out)).toBe(0);
  return out;
}

function contents(tree: ImageTree, path: string): string | number {
  const fd = tree.open(find(tree, path));
  return fd < 0 ? fd : readFileSync(fd, 'utf8');
}

test('keeps every attribute, and finds every name', () => {
  const tree = merge([
    dir('', { mode: 0o1777, mtime: 12, mtimeNsec: 34 }),
    dir('etc', { uid: 1, gid: 2 }),
    file('etc/passwd', 'root:x:0:0', { uid: 5, gid: 6, mode: 0o4755, mtime: -7, mtimeNsec: 8 }),
    symlink('sym', 'etc/passwd'),
    layerEntry({ path: Buffer.from('null'), type: 'character', mode: 0o666, rdev: makeDevice(1, 3) }),
    layerEntry({ path: Buffer.from('fifo'), type: 'fifo', mode: 0o600 }),
    file('empty', ''),
  ]);
  expect(list(tree)).toEqual(['empty', 'etc', 'fifo', 'null', 'sym']);
  expect(attributes(tree, '')).toMatchObject({ mode: FileType.directory | 0o1777, mtime: 12, mtimeNsec: 34, nlink: 3 });
  expect(attributes(tree, 'etc')).toMatchObject({ mode: FileType.directory | 0o755, uid: 1, gid: 2, nlink: 2 });
  expect(attributes(tree, 'etc/passwd')).toMatchObject({
    mode: FileType.file | 0o4755,
    uid: 5,
    gid: 6,
    size: 10,
    blocks: 8,
    mtime: -7,
    mtimeNsec: 8,
    nlink: 1,
  });
  expect(attributes(tree, 'null')).toMatchObject({ mode: FileType.character | 0o666, rdev: makeDevice(1, 3) });
  expect(attributes(tree, 'fifo').mode).toBe(FileType.fifo | 0o600);
  expect(tree.readlink(find(tree, 'sym'))).toEqual(Buffer.from('etc/passwd'));
  expect(attributes(tree, 'sym').size).toBe(10);
  expect(contents(tree, 'etc/passwd')).toBe('root:x:0:0');
  expect(contents(tree, 'empty')).toBe('');
  expect(find(tree, 'etc/absent')).toBe(-errno.ENOENT);
  expect(find(tree, 'sym/x')).toBe(-errno.ENOTDIR);
  expect(tree.open(find(tree, 'etc'))).toBe(-errno.EISDIR);
  expect(tree.open(find(tree, 'fifo'))).toBe(-errno.EINVAL);
  expect(result).toMatchObject({ nodes: 7, entries: 6, contents: 1, bytes: 10 });
});

test('finds each of many names, of any bytes, and lists them in order', () => {
  const names = Array.from({ length: 3000 }, (_, index) =>
    Buffer.from([1 + (index % 250), 128 + (index % 7), 65 + (index % 60)]),
  );
  const distinct = [...new Set(names.map((name) => name.toString('latin1')).filter((name) => !name.includes('/')))];
  const tree = merge(distinct.map((name) => layerEntry({ path: Buffer.from(name, 'latin1'), type: 'fifo' })));
  for (const name of distinct) expect(tree.lookup(1, Name.fromKey(name))).toBeGreaterThan(1);
  const listed: string[] = [];
  tree.readdir(1, (name) => listed.push(name.toString('latin1')));
  expect(listed).toEqual(distinct.sort());
});

describe('layers', () => {
  test('an upper file hides a lower one, an upper directory joins a lower one and has its own attributes', () => {
    const tree = merge(
      [dir('d', { mode: 0o700 }), file('d/a', 'lower'), file('d/b', 'lower b'), file('x', 'file')],
      [dir('d', { mode: 0o755, uid: 3 }), file('d/a', 'upper'), dir('x'), file('x/y', 'below')],
    );
    expect(list(tree, 'd')).toEqual(['a', 'b']);
    expect(contents(tree, 'd/a')).toBe('upper');
    expect(attributes(tree, 'd')).toMatchObject({ mode: FileType.directory | 0o755, uid: 3 });
    expect(contents(tree, 'x/y')).toBe('below');
  });

  test('whiteouts hide lower layers only, wherever in their layer they stand', () => {
    const tree = merge(
      [dir('d'), file('d/a', '1'), file('d/b', '1'), dir('e'), file('e/lower', '1'), file('f', '1')],
      [file('d/a', '2'), marker('d/.wh.a'), marker('.wh.f'), file('e/upper', '2'), marker('e/.wh..wh..opq')],
    );
    expect(contents(tree, 'd/a')).toBe('2');
    expect(list(tree, 'd')).toEqual(['a', 'b']);
    expect(list(tree, 'e')).toEqual(['upper']);
    expect(find(tree, 'f')).toBe(-errno.ENOENT);
  });

  test('a whiteout of a directory with something new in its place leaves the new alone', () => {
    const tree = merge([dir('d'), file('d/a', '1')], [marker('.wh.d'), file('d/b', '2')]);
    expect(list(tree, 'd')).toEqual(['b']);
  });

  test('whiteouts and opaque markers of what does not exist do nothing', () => {
    const tree = merge([file('a', '1'), marker('.wh.b'), marker('c/d/.wh.e'), marker('a/.wh..wh..opq')]);
    expect(list(tree)).toEqual(['a']);
  });

  test('a path through a lower symlink goes to where it leads', () => {
    const tree = merge(
      [dir('usr'), dir('usr/lib'), symlink('lib', 'usr/lib'), symlink('deep', '/lib/../lib/.')],
      [file('lib/x.so', 'x'), file('deep/y.so', 'y'), hardlink('usr/z.so', 'lib/x.so')],
    );
    expect(list(tree, 'usr/lib')).toEqual(['x.so', 'y.so']);
    expect(attributes(tree, 'lib').mode & FileType.mask).toBe(FileType.symlink);
    expect(find(tree, 'usr/z.so')).toBe(find(tree, 'usr/lib/x.so'));
  });

  test('links that lead nowhere, round in circles or above the root become directories at worst', () => {
    const tree = merge(
      [symlink('loop', 'loop2'), symlink('loop2', 'loop'), symlink('up', '../../..'), symlink('bad', 'no/where')],
      [file('loop/a', '1'), file('up/b', '2'), file('bad/c', '3')],
    );
    expect(list(tree, 'loop')).toEqual(['a']);
    expect(contents(tree, 'b')).toBe('2');
    expect(list(tree, 'bad')).toEqual(['c']);
  });

  test('hard links are one node with a count, also across layers', () => {
    const tree = merge(
      [file('a', 'same'), hardlink('b', 'a')],
      [hardlink('c', 'a'), hardlink('no', 'absent'), hardlink('dir', ''), marker('.wh.b')],
    );
    expect(find(tree, 'c')).toBe(find(tree, 'a'));
    expect(attributes(tree, 'a').nlink).toBe(2);
    expect(result.danglingLinks).toEqual(['no', 'dir']);
  });

  test('equal contents are one content', () => {
    const tree = merge([file('a', 'same'), file('b', 'same'), file('c', 'other')]);
    expect(find(tree, 'a')).not.toBe(find(tree, 'b'));
    expect(result.contents).toBe(2);
    expect([...imageTreeContents(tree)].map((id) => id.toString('hex')).sort()).toEqual(
      ['same', 'other'].map((text) => createHash('sha256').update(text).digest('hex')).sort(),
    );
  });

  test("xattrs are kept, overlayfs' own left out", () => {
    const tree = merge([
      file('a', '1', {
        xattrs: [
          { name: Buffer.from('user.overlay.opaque'), value: Buffer.from('y') },
          { name: Buffer.from('user.mine'), value: Buffer.from([0, 255]) },
          { name: Buffer.from('security.capability'), value: Buffer.from('caps') },
        ],
      }),
      file('b', '2'),
    ]);
    expect(tree.listxattr(find(tree, 'a')).map(String)).toEqual(['user.mine', 'security.capability']);
    expect(tree.getxattr(find(tree, 'a'), new Name(Buffer.from('user.mine')))).toEqual(Buffer.from([0, 255]));
    expect(tree.getxattr(find(tree, 'a'), new Name(Buffer.from('user.overlay.opaque')))).toBe(-61);
    expect(tree.listxattr(find(tree, 'b'))).toEqual([]);
  });
});

test('nodes that do not exist are stale, not a crash', () => {
  const tree = merge([file('a', '1')]);
  for (const node of [0, -1, 3, 2 ** 40]) {
    expect(tree.lookup(node, new Name(Buffer.from('a')))).toBe(-errno.ESTALE);
    expect(tree.getattr(node, new Attributes())).toBe(-errno.ESTALE);
    expect(tree.readlink(node)).toBe(-errno.ESTALE);
    expect(tree.open(node)).toBe(-errno.ESTALE);
    expect(tree.listxattr(node)).toEqual([]);
    expect(tree.readdir(node, () => undefined)).toBe(-errno.ESTALE);
  }
});

test('a file that is no tree, or cut short, is refused', () => {
  merge([file('a', '1')]);
  const path = join(directory, 'index');
  const whole = readFileSync(path);
  for (const length of [0, 8, 63, 64, whole.length - 1]) {
    writeFileSync(join(directory, 'cut'), whole.subarray(0, length));
    expect(() => openImageTree(join(directory, 'cut'), 0)).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
  }
  expect(() => openImageTree(join(directory, 'absent'), 0)).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'openat', path: join(directory, 'absent') }),
  );
});

test('a closed tree has no nodes, and can be closed again', () => {
  const tree = merge([file('a', '1')]);
  tree.close();
  tree.close();
  expect(tree.lookup(1, new Name(Buffer.from('a')))).toBe(-errno.ESTALE);
  expect(tree.getattr(1, new Attributes())).toBe(-errno.ESTALE);
  expect(tree.listxattr(2)).toEqual([]);
  expect([...imageTreeContents(tree)]).toEqual([]);
});
