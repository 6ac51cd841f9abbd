/** What LowerLayer promises, for any implementation: `open` makes a layer of the directory that the test has filled. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Attributes, FileType, Name, type ReadRoom, type LowerLayer } from '../../src/index.ts';
import { allocate } from '../../src/sys/memory.ts';
import { readAtLast, readRoom } from './read-room.ts';

const { ENOENT, ENOTDIR, EISDIR, EINVAL, ENODATA } = { ENOENT: 2, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENODATA: 61 };

export function testLowerLayer(kind: string, open: (source: string, scratch: string) => LowerLayer): void {
  describe(`the contract of lower layers: ${kind}`, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
    const source = join(scratch, 'source');
    const large = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) & 0xff));
    let layer: LowerLayer;

    beforeAll(() => {
      mkdirSync(join(source, 'd/e'), { recursive: true });
      writeFileSync(join(source, 'd/file'), 'contents', { mode: 0o640 });
      utimesSync(join(source, 'd/file'), 1, 1_500_000_000.25);
      linkSync(join(source, 'd/file'), join(source, 'd/e/hard'));
      writeFileSync(join(source, 'large'), large);
      writeFileSync(join(source, 'empty'), '');
      writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0x0a])]), 'odd');
      symlinkSync('../../../etc/passwd', join(source, 'd/link'));
      symlinkSync('d', join(source, 'to-d'));
      execFileSync('mkfifo', [join(source, 'fifo')]);
      layer = open(source, scratch);
    });
    afterAll(() => {
      layer.close();
      layer.close();
      rmSync(scratch, { recursive: true });
    });

    function find(...names: (string | Buffer)[]): number {
      return names.reduce<number>(
        (node, name) => (node < 0 ? node : layer.lookup(node, new Name(Buffer.from(name)))),
        layer.root,
      );
    }
    function read(node: number, offset: number, out: ReadRoom): number {
      return readAtLast((attempt) => layer.read(node, offset, out, attempt));
    }
    function list(node: number): Map<string, { type: number; ino: number }> {
      const names = new Map<string, { type: number; ino: number }>();
      expect(layer.readdir(node, (name, type, ino) => names.set(name.toString('latin1'), { type, ino }))).toBe(0);
      return names;
    }

    test('names are found, or are not there', () => {
      expect(find('d', 'file')).toBeGreaterThan(0);
      expect(find(Buffer.from([0xff, 0x0a]))).toBeGreaterThan(0);
      expect(find('absent')).toBe(-ENOENT);
      expect(find('d', 'file', 'x')).toBe(-ENOTDIR);
      expect(find('to-d', 'file')).toBe(-ENOTDIR);
    });

    test('a listing has every name once, with its type and inode number', () => {
      const names = list(layer.root);
      expect([...names.keys()].sort()).toEqual(['d', 'empty', 'fifo', 'large', 'to-d', '\xff\n'].sort());
      expect(names.get('fifo')?.type).toBe(FileType.fifo);
      expect(names.get('d')?.type).toBe(FileType.directory);
      const out = new Attributes();
      expect(layer.getattr(find('large'), out)).toBe(0);
      expect(names.get('large')?.ino).toBe(out.ino);
      expect(list(find('d', 'e')).size).toBe(1);
      expect(layer.readdir(find('large'), () => undefined)).toBe(-ENOTDIR);
    });

    test('attributes are those of the file', () => {
      const out = new Attributes();
      expect(layer.getattr(find('d', 'file'), out)).toBe(0);
      const stat = lstatSync(join(source, 'd/file'));
      expect(out).toMatchObject({ mode: stat.mode, size: 8, nlink: 2, mtime: 1_500_000_000, mtimeNsec: 250_000_000 });
      expect(layer.getattr(find('d', 'link'), out)).toBe(0);
      expect(out).toMatchObject({ mode: FileType.symlink | 0o777, size: 19 });
    });

    test('hard links are one node', () => {
      expect(find('d', 'e', 'hard')).toBe(find('d', 'file'));
    });

    test('links are read, not followed', () => {
      expect(layer.readlink(find('d', 'link'))).toEqual(Buffer.from('../../../etc/passwd'));
      expect(layer.readlink(find('large'))).toBe(-EINVAL);
      expect(layer.open(find('d', 'link'))).toBe(-EINVAL);
    });

    test('contents, by descriptor and by read', () => {
      const fd = layer.open(find('large'));
      expect(fstatSync(fd).isFile()).toBe(true);
      expect(readFileSync(fd).equals(large)).toBe(true);
      closeSync(fd);
      const out = readRoom(allocate(1008), 8, 1000);
      expect(read(find('large'), 299_500, out)).toBe(500);
      expect(out.view().subarray(0, 500).equals(large.subarray(299_500))).toBe(true);
      expect(read(find('large'), 300_000, out)).toBe(0);
      expect(read(find('empty'), 0, out)).toBe(0);
      const long = readRoom(allocate(100_000), 0, 100_000);
      expect(read(find('large'), 250_000, long)).toBe(50_000);
      expect(long.view().subarray(0, 50_000).equals(large.subarray(250_000))).toBe(true);
      const empty = layer.open(find('empty'));
      expect(readFileSync(empty).length).toBe(0);
      closeSync(empty);
      expect(layer.open(find('d'))).toBe(-EISDIR);
      expect(layer.open(find('fifo'))).toBe(-EINVAL);
    });

    test('attributes that are not there', () => {
      expect(layer.getxattr(find('large'), new Name(Buffer.from('user.absent')))).toBe(-ENODATA);
      const names = layer.listxattr(find('large'));
      expect(typeof names === 'number' ? names : names.map(String).filter((name) => name.startsWith('user.'))).toEqual(
        [],
      );
    });
  });
}
