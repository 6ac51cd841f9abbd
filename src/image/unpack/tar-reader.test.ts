import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildTar, type TarItem } from '../testing/tar-builder.ts';
import { TarError } from './tar-header.ts';
import { TarReader, type TarEntry } from './tar-reader.ts';

interface Read {
  entry: TarEntry;
  content: Buffer;
}

/** Reads an archive in pieces of `step` bytes. */
function readTar(tar: Buffer, step = tar.length): Read[] {
  const read: Read[] = [];
  let parts: Buffer[] = [];
  const reader = new TarReader({
    entry: (entry) => {
      parts = [];
      read.push({ entry, content: Buffer.alloc(0) });
    },
    data: (chunk) => parts.push(Buffer.from(chunk)),
    hole: (size) => parts.push(Buffer.alloc(size)),
    endOfEntry: () => (read.at(-1)!.content = Buffer.concat(parts)),
  });
  for (let at = 0; at < tar.length; at += step) reader.write(tar.subarray(at, at + step));
  reader.end();
  return read;
}

function readOne(item: TarItem): Read {
  const [first, ...rest] = readTar(buildTar([item]));
  expect(rest).toEqual([]);
  return first!;
}

describe('what an archive holds comes out, however it is cut', () => {
  const tar = buildTar([
    { path: 'dir/', type: '5', mode: 0o755, uid: 1, gid: 2, mtime: 1700000000 },
    { path: 'dir/a', content: 'hello' },
    { path: 'dir/b', content: Buffer.alloc(1000, 7) },
    { path: 'empty' },
    { path: 'link', type: '2', linkPath: '../x' },
    { path: 'hard', type: '1', linkPath: 'dir/a' },
    { path: 'null', type: '3', major: 1, minor: 3 },
    { path: 'disk', type: '4', major: 8, minor: 1 },
    { path: 'pipe', type: '6' },
    { path: 'exact', content: Buffer.alloc(512, 1) },
  ]);
  const whole = readTar(tar);

  test('types, contents and attributes', () => {
    expect(whole.map(({ entry, content }) => [entry.path.toString(), entry.type, content.length])).toEqual([
      ['dir/', 'directory', 0],
      ['dir/a', 'file', 5],
      ['dir/b', 'file', 1000],
      ['empty', 'file', 0],
      ['link', 'symlink', 0],
      ['hard', 'hardlink', 0],
      ['null', 'character', 0],
      ['disk', 'block', 0],
      ['pipe', 'fifo', 0],
      ['exact', 'file', 512],
    ]);
    expect(whole[0]!.entry).toMatchObject({ mode: 0o755, uid: 1, gid: 2, mtime: 1700000000 });
    expect(whole[1]!.content.toString()).toBe('hello');
    expect(whole[4]!.entry.linkPath.toString()).toBe('../x');
    expect(whole[6]!.entry).toMatchObject({ major: 1, minor: 3 });
  });

  test.each([1, 7, 511, 512, 513, 1000])('in pieces of %i bytes', (step) => {
    expect(readTar(tar, step)).toEqual(whole);
  });
});

describe('long names', () => {
  const long = `${'d'.repeat(90)}/`.repeat(3) + 'f';

  test('pax path and linkpath', () => {
    const { entry } = readOne({ path: 'x', type: '2', linkPath: 'y', pax: { path: long, linkpath: `${long}l` } });
    expect(entry.path.toString()).toBe(long);
    expect(entry.linkPath.toString()).toBe(`${long}l`);
  });

  test('GNU long name and long link', () => {
    const items: TarItem[] = [
      { path: '././@LongLink', type: 'L', content: `${long}\0` },
      { path: '././@LongLink', type: 'K', content: `${long}l\0` },
      { path: 'cut', type: '2', linkPath: 'cut' },
      { path: 'next' },
    ];
    const [first, second] = readTar(buildTar(items));
    expect(first!.entry.path.toString()).toBe(long);
    expect(first!.entry.linkPath.toString()).toBe(`${long}l`);
    expect(second!.entry.path.toString()).toBe('next');
  });

  test('ustar prefix, which GNU uses for something else', () => {
    function withPrefix(header: Buffer): void {
      header.write('some/where', 345);
    }
    expect(readOne({ path: 'f', patch: withPrefix }).entry.path.toString()).toBe('some/where/f');
    function gnu(header: Buffer): void {
      withPrefix(header);
      header.write('ustar  \0', 257, 'latin1');
    }
    expect(readOne({ path: 'f', patch: gnu }).entry.path.toString()).toBe('f');
  });

  test('names that are no UTF-8 keep their bytes', () => {
    const path = Buffer.from([0x66, 0xff, 0xfe]);
    expect(readOne({ path }).entry.path).toEqual(path);
    expect(readOne({ path: 'x', pax: { path } }).entry.path).toEqual(path);
  });
});

describe('numbers', () => {
  test('base-256 ids, sizes and times, also before 1970', () => {
    const { entry } = readOne({
      path: 'f',
      patch: (header) => {
        header.fill(0, 108, 116);
        header.writeUInt8(0x80, 108);
        header.writeUInt32BE(3_000_000_000, 112);
        header.fill(0xff, 136, 148);
      },
    });
    expect(entry).toMatchObject({ uid: 3_000_000_000, mtime: -1 });
  });

  test('pax overrides', () => {
    const pax = { uid: '4000000000', gid: '70000', mtime: '1700000000.25', size: '5' };
    const { entry, content } = readOne({ path: 'f', content: 'hello', size: 0, pax });
    expect(entry).toMatchObject({ uid: 4e9, gid: 70000, mtime: 1700000000, mtimeNsec: 250_000_000, size: 5 });
    expect(content.toString()).toBe('hello');
    expect(readOne({ path: 'f', pax: { mtime: '-1.25' } }).entry).toMatchObject({ mtime: -2, mtimeNsec: 750_000_000 });
    expect(readOne({ path: 'f', mtime: 9, pax: { mtime: '' } }).entry.mtime).toBe(9);
  });
});

test('extended attributes are binary', () => {
  const value = Buffer.from([1, 0, 0x0a, 0x3d, 0xff]);
  const { entry } = readOne({
    path: 'f',
    pax: { 'SCHILY.xattr.security.capability': value, 'SCHILY.xattr.user.a': '' },
  });
  expect(entry.xattrs).toEqual([
    { name: Buffer.from('security.capability'), value },
    { name: Buffer.from('user.a'), value: Buffer.alloc(0) },
  ]);
});

test('a pax header counts for one entry, a global one for none', () => {
  const items: TarItem[] = [
    { path: 'g', type: 'g', content: Buffer.from('11 path=no\n') },
    { path: 'a', pax: { path: 'b' } },
    { path: 'c' },
  ];
  expect(readTar(buildTar(items)).map(({ entry }) => entry.path.toString())).toEqual(['b', 'c']);
});

test('an old file with a slash at its end is a directory', () => {
  expect(readOne({ path: 'old/', type: '\0' }).entry.type).toBe('directory');
});

describe('sparse files as GNU tar writes them', () => {
  test.each(['gnu', 'pax 0.0', 'pax 0.1', 'pax 1.0'])('%s', (format) => {
    const folder = mkdtempSync(join(tmpdir(), 'trun-sparse-'));
    try {
      const path = join(folder, 'sparse');
      // More runs than the first block of a map takes, a hole in front and one at the end.
      const content = Buffer.alloc(2_000_000);
      for (let run = 1; run <= 30; run++) content.fill(run, run * 65536, run * 65536 + 5000);
      writeFileSync(path, '');
      truncateSync(path, content.length);
      execFileSync(
        'sh',
        [
          '-c',
          'cat > full; for i in $(seq 30); do dd if=full of=sparse bs=65536 skip=$i seek=$i count=1 conv=notrunc,sparse 2>/dev/null; done; fallocate -d sparse 2>/dev/null || true',
        ],
        { cwd: folder, input: content },
      );
      const [kind, version] = format.split(' ') as [string, string?];
      const flags = version === undefined ? [] : [`--sparse-version=${version}`];
      execFileSync('tar', ['-cf', 'out.tar', '-S', `--format=${kind}`, ...flags, 'sparse'], { cwd: folder });
      const tar = readFileSync(join(folder, 'out.tar'));
      expect(tar.length).toBeLessThan(content.length);
      for (const step of [tar.length, 777]) {
        const [read] = readTar(tar, step);
        expect(read!.entry).toMatchObject({ path: Buffer.from('sparse'), type: 'file', size: content.length });
        expect(read!.content.equals(content)).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('malformed archives are refused', () => {
  const good = buildTar([{ path: 'f', content: Buffer.alloc(2000, 1) }]);

  test('a wrong checksum', () => {
    const bad = Buffer.from(good);
    bad[0]! ^= 1;
    expect(() => readTar(bad)).toThrow('a header has a wrong checksum');
  });

  test.each([100, 512, 600, 2511])('cut after %i bytes', (length) => {
    expect(() => readTar(good.subarray(0, length))).toThrow('it ends in the middle of an entry');
  });

  test('a cut-off padding or a missing end is none of our business', () => {
    expect(readTar(good.subarray(0, 512 + 2000))).toHaveLength(1);
    expect(readTar(Buffer.concat([good, Buffer.from('rubbish')]))).toHaveLength(1);
  });

  test.each<[string, TarItem, string]>([
    ['a negative size', { path: 'f', patch: (header) => header.fill(0xff, 124, 136) }, 'negative size'],
    ['a size beyond numbers', { path: 'f', patch: (header) => header.writeUInt32BE(0x80ffffff, 124) }, 'out of range'],
    ['letters in a number', { path: 'f', patch: (header) => void header.write('zz', 124) }, 'malformed size'],
    ['an unknown type', { path: 'f', type: 'V' }, 'entry "f" has the unknown type "V"'],
    ['a negative pax size', { path: 'f', pax: { size: '-1' } }, 'negative size'],
    ['pax numbers that are none', { path: 'f', pax: { uid: '0x10' } }, 'malformed uid'],
    ['an endless pax header', { path: 'x', type: 'x', size: 2 ** 30 }, 'over 1048576 bytes'],
    ['an endless name', { path: 'x', type: 'L', size: 2 ** 30 }, 'over 1048576 bytes'],
    ['a pax record without length', { path: 'x', type: 'x', content: 'path=a\n' }, 'pax header is malformed'],
    [
      'a pax record longer than its header',
      { path: 'x', type: 'x', content: '99 path=a\n' },
      'pax header is malformed',
    ],
    ['a pax record of length zero', { path: 'x', type: 'x', content: '0 path=a\n' }, 'pax header is malformed'],
    [
      'a sparse map that overlaps',
      { path: 'f', content: 'abcd', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,2,1,2' } },
      'out of order',
    ],
    [
      'a sparse map beyond the file',
      { path: 'f', content: 'abcd', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '8,4' } },
      'out of range',
    ],
    [
      'a sparse map without its data',
      { path: 'f', content: 'abcd', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,2' } },
      'does not fit its payload',
    ],
    [
      'a sparse map of millions',
      {
        path: 'f',
        content: '99999999\n'.padEnd(512, '\0'),
        pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' },
      },
      'runs',
    ],
    [
      'a sparse map without an end',
      {
        path: 'f',
        content: '1\n'.padEnd(512, '7'),
        pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' },
      },
      'sparse map',
    ],
  ])('%s', (_, item, message) => {
    const failure = expect(() => readTar(buildTar([item])));
    failure.toThrow(TarError);
    failure.toThrow(message);
  });

  test('random damage never does worse than an error', () => {
    const tar = buildTar([
      { path: 'a', content: 'x'.repeat(600), pax: { path: 'long', 'SCHILY.xattr.user.x': 'y' } },
      { path: 'b', content: 'abcd', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,2,4,2' } },
      { path: 'c', type: '2', linkPath: 'd' },
    ]);
    let seed = 42;
    for (let round = 0; round < 3000; round++) {
      const bad = Buffer.from(tar);
      for (let flips = 0; flips < 3; flips++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        bad[seed % bad.length] = seed >>> 24;
      }
      try {
        readTar(bad);
      } catch (error) {
        expect(error).toBeInstanceOf(TarError);
      }
    }
  });
});
