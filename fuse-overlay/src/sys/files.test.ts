import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileType } from '../server/attributes.ts';
import { Name } from '../server/name.ts';
import { readDirectory } from './directory.ts';
import { errno } from './errors.ts';
import * as files from './files.ts';
import * as io from './io.ts';
import { allocate } from './memory.ts';
import * as flags from './open-flags.ts';
import { FileStat, statAt, statFd } from './stat.ts';
import { getXattr, listXattrs, removeXattr, setXattr } from './xattr.ts';

let path: string;
let dir: number;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  dir = files.openAt(flags.AT_FDCWD, path, flags.O_RDONLY | flags.O_DIRECTORY);
});

afterEach(() => {
  files.close(dir);
  rmSync(path, { recursive: true });
});

test('creates, writes, reads and stats a file by names of any bytes', () => {
  const name = new Name(Buffer.from([0x78, 0xff, 0xfe, 0x2e]), 1, 3);
  const fd = files.openAt(dir, name, flags.O_CREAT | flags.O_EXCL | flags.O_RDWR, 0o640);
  expect(fd).toBeGreaterThan(2);
  const { buffer, address } = allocate(64);
  buffer.write('hello world');
  expect(io.pwrite(fd, address, 11, 5)).toBe(11);
  expect(io.preadFully(fd, address, 64, 10)).toBe(6);
  expect(buffer.subarray(0, 6).toString()).toBe(' world');

  expect(files.utimesFd(fd, -5, 7, 1700000000, 123456789)).toBe(0);
  const stat = new FileStat();
  expect(statAt(dir, name, stat)).toBe(0);
  const expected = lstatSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe])]), { bigint: true });
  expect(stat).toMatchObject({
    size: 16,
    mode: FileType.file | 0o640,
    nlink: 1,
    atime: -5,
    atimeNsec: 7,
    mtime: 1700000000,
    mtimeNsec: 123456789,
    ino: Number(expected.ino),
  });
  const byFd = new FileStat();
  expect(statFd(fd, byFd)).toBe(0);
  expect(byFd.identity()).toBe(stat.identity());
  files.close(fd);
});

test('a failed call gives the negative error number', () => {
  expect(files.openAt(dir, 'absent', flags.O_RDONLY)).toBe(-errno.ENOENT);
  expect(files.rmdirAt(dir, 'absent')).toBe(-errno.ENOENT);
  expect(files.readlinkAt(dir, 'absent')).toBe(-errno.ENOENT);
  expect(files.openAt(dir, 'x'.repeat(5000), flags.O_RDONLY)).toBe(-errno.ENAMETOOLONG);
  expect(() => files.openAt(dir, 'a\0b', flags.O_RDONLY)).toThrow('NUL');
});

test('openat2 refuses to leave the directory', () => {
  symlinkSync('/etc/passwd', join(path, 'out'));
  const beneath = flags.RESOLVE_BENEATH | flags.RESOLVE_NO_MAGICLINKS;
  expect(files.openAt2(dir, 'out', flags.O_RDONLY, 0, beneath)).toBe(-errno.EXDEV);
  expect(files.openAt2(dir, '../x', flags.O_RDONLY, 0, beneath)).toBe(-errno.EXDEV);
});

test('makes, lists, renames, links and removes names', () => {
  expect(files.mkdirAt(dir, 'd', 0o755)).toBe(0);
  expect(files.mknodAt(dir, 'fifo', FileType.fifo | 0o600, 0)).toBe(0);
  expect(files.symlinkAt('some/where', dir, 'link')).toBe(0);
  writeFileSync(join(path, 'file'), 'x');
  expect(files.linkAt(dir, 'file', dir, 'd/hard')).toBe(0);
  const entries = readDirectory(dir);
  if (typeof entries === 'number') throw new Error('readDirectory failed');
  expect(entries.map(({ name, type }) => [name.toString(), type]).sort()).toEqual([
    ['d', FileType.directory],
    ['fifo', FileType.fifo],
    ['file', FileType.file],
    ['link', FileType.symlink],
  ]);
  expect(files.readlinkAt(dir, 'link')).toEqual(Buffer.from('some/where'));
  const link = files.openAt(dir, 'link', flags.O_PATH | flags.O_NOFOLLOW);
  expect(files.readlinkAt(link, '')).toEqual(Buffer.from('some/where'));
  files.close(link);
  expect(files.renameAt(dir, 'file', dir, 'fifo', flags.RENAME_NOREPLACE)).toBe(-errno.EEXIST);
  expect(files.renameAt(dir, 'file', dir, 'fifo', flags.RENAME_EXCHANGE)).toBe(0);
  expect(lstatSync(join(path, 'file')).isFIFO()).toBe(true);
  expect(files.unlinkAt(dir, 'd')).toBe(-errno.EISDIR);
  expect(files.rmdirAt(dir, 'd')).toBe(-errno.ENOTEMPTY);
});

test('lists a directory of many names, again from the start each time', () => {
  for (let index = 0; index < 3000; index++) writeFileSync(join(path, `some-longer-name-${index}`), '');
  const expected = readdirSync(path).sort();
  for (let round = 0; round < 2; round++) {
    const entries = readDirectory(dir);
    if (typeof entries === 'number') throw new Error('readDirectory failed');
    expect(entries.map(({ name }) => name.toString()).sort()).toEqual(expected);
  }
});

test('sets and reads extended attributes', () => {
  const fd = files.openAt(dir, 'file', flags.O_CREAT | flags.O_RDWR, 0o600);
  const value = Buffer.from([0, 1, 2, 255]);
  const result = setXattr(fd, 'user.test', value);
  if (result === -errno.EOPNOTSUPP) return;
  expect(result).toBe(0);
  expect(setXattr(fd, 'user.empty', Buffer.alloc(0))).toBe(0);
  expect(getXattr(fd, 'user.test')).toEqual(value);
  expect(
    (listXattrs(fd) as Buffer[])
      .map(String)
      .filter((name) => name.startsWith('user.'))
      .sort(),
  ).toEqual(['user.empty', 'user.test']);
  expect(removeXattr(fd, 'user.test')).toBe(0);
  expect(getXattr(fd, 'user.test')).toBe(-61);
  files.close(fd);
});

test('copies and punches within files', () => {
  writeFileSync(join(path, 'from'), 'abcdefgh');
  const from = files.openAt(dir, 'from', flags.O_RDONLY);
  const to = files.openAt(dir, 'to', flags.O_CREAT | flags.O_RDWR, 0o600);
  expect(io.copyFileRange(from, 2, to, 10, 4)).toBe(4);
  expect(io.seek(to, 0, 2)).toBe(14);
  expect(io.truncate(to, 3)).toBe(0);
  expect(io.fsync(to, true)).toBe(0);
  files.close(from);
  files.close(to);
});
