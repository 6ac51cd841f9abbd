import { execFileSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Attributes, FileType } from '../server/attributes.ts';
import { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import { DirectoryLayer } from './directory-layer.ts';

let path: string;
let layer: DirectoryLayer;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  layer = new DirectoryLayer(path);
});
afterEach(() => {
  layer.close();
  rmSync(path, { recursive: true });
});

function name(text: string): Name {
  return new Name(Buffer.from(text));
}

function find(...names: string[]): number {
  let node = layer.root;
  for (const part of names) {
    node = layer.lookup(node, name(part));
    if (node < 0) return node;
  }
  return node;
}

test('shows attributes, names, links and contents as they are', () => {
  mkdirSync(join(path, 'd'));
  writeFileSync(join(path, 'd', 'f'), 'contents', { mode: 0o640 });
  symlinkSync('../../etc/passwd', join(path, 'd', 'l'));
  const out = new Attributes();
  expect(layer.getattr(find('d', 'f'), out)).toBe(0);
  const stat = lstatSync(join(path, 'd', 'f'));
  expect(out).toMatchObject({ ino: stat.ino, size: 8, mode: stat.mode, uid: stat.uid, gid: stat.gid, nlink: 1 });
  expect(layer.readlink(find('d', 'l'))).toEqual(Buffer.from('../../etc/passwd'));
  const fd = layer.open(find('d', 'f'));
  expect(readFileSync(fd, 'utf8')).toBe('contents');
  const names: [string, number][] = [];
  expect(layer.readdir(find('d'), (entry, type) => names.push([entry.toString(), type]))).toBe(0);
  expect(names.sort()).toEqual([
    ['f', FileType.file],
    ['l', FileType.symlink],
  ]);
  expect(layer.readlink(find('d'))).toBe(-errno.EINVAL);
  expect(find('absent')).toBe(-errno.ENOENT);
  expect(find('d', 'f', 'x')).toBe(-errno.ENOTDIR);
});

test('never leads out through a link, and opens nothing but regular files', () => {
  symlinkSync('/etc', join(path, 'out'));
  execFileSync('mkfifo', [join(path, 'fifo')]);
  expect(find('out', 'passwd')).toBe(-errno.ENOTDIR);
  expect(layer.open(find('out'))).toBe(-errno.EINVAL);
  expect(layer.open(find('fifo'))).toBe(-errno.EINVAL);
  expect(layer.open(layer.root)).toBe(-errno.EISDIR);
});

test('a directory replaced by a link behind its back is stale', () => {
  mkdirSync(join(path, 'a'));
  mkdirSync(join(path, 'a', 'b'));
  writeFileSync(join(path, 'a', 'b', 'passwd'), 'mine');
  const node = find('a', 'b');
  const file = find('a', 'b', 'passwd');
  expect(layer.forget(node, 1)).toBeUndefined();
  renameSync(join(path, 'a', 'b'), join(path, 'a', 'moved'));
  symlinkSync('/etc', join(path, 'a', 'b'));
  // What is open already is still that directory; what is not is looked for by name, and is another file there.
  const fresh = new DirectoryLayer(path);
  const a = fresh.lookup(fresh.root, name('a'));
  const moved = fresh.lookup(a, name('moved'));
  const stolen = fresh.lookup(moved, name('passwd'));
  renameSync(join(path, 'a', 'moved', 'passwd'), join(path, 'a', 'moved', 'elsewhere'));
  symlinkSync('/etc/passwd', join(path, 'a', 'moved', 'passwd'));
  expect(fresh.open(stolen)).toBe(-errno.ESTALE);
  expect(fresh.getattr(stolen, new Attributes())).toBe(-errno.ESTALE);
  fresh.close();
  expect(layer.open(file)).toBe(-errno.ESTALE);
});

test('a file that goes is stale, one that is renamed is found again', () => {
  writeFileSync(join(path, 'f'), 'x');
  const node = find('f');
  renameSync(join(path, 'f'), join(path, 'g'));
  expect(layer.getattr(node, new Attributes())).toBe(-errno.ESTALE);
  expect(find('g')).toBe(node);
  expect(layer.getattr(node, new Attributes())).toBe(0);
});

test('hard links are one node', () => {
  writeFileSync(join(path, 'f'), 'x');
  linkSync(join(path, 'f'), join(path, 'g'));
  expect(find('f')).toBe(find('g'));
});

test('what is forgotten is gone, with the directories that only led to it', () => {
  mkdirSync(join(path, 'd', 'e'), { recursive: true });
  writeFileSync(join(path, 'd', 'e', 'f'), 'x');
  const d = layer.lookup(layer.root, name('d'));
  const e = layer.lookup(d, name('e'));
  const f = layer.lookup(e, name('f'));
  layer.forget(d, 1);
  layer.forget(e, 1);
  expect(layer.getattr(f, new Attributes())).toBe(0);
  layer.forget(f, 1);
  for (const node of [d, e, f]) expect(layer.getattr(node, new Attributes())).toBe(-errno.ESTALE);
});
