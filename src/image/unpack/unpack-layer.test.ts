import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { readLayerList, type LayerEntry } from 'fuse-overlay';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, type Digest } from '../digest.ts';
import { buildTar, type TarItem } from '../testing/tar-builder.ts';
import { GrowingFile } from './growing-file.ts';
import { defaultUnpackLimits, type UnpackLimits } from './limits.ts';
import { unpackLayer } from './unpack-layer.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trun-unpack-'));
  for (const name of ['files', 'temporary']) mkdirSync(join(root, name));
});

afterEach(() => rmSync(root, { recursive: true }));

interface Options {
  diffId?: Digest;
  limits?: Partial<UnpackLimits>;
  step?: number;
}

async function unpackBlob(blob: Buffer, diffId: Digest, options: Options = {}): Promise<LayerEntry[]> {
  const request = {
    files: join(root, 'files'),
    temporary: join(root, 'temporary'),
    list: join(root, 'list'),
    mark: join(root, 'unproven', 'list'),
    diffId: options.diffId ?? diffId,
    limits: { ...defaultUnpackLimits, ...options.limits },
  };
  await unpackLayer(pieces(blob, options.step ?? 70_000), request, () => undefined);
  return [...readLayerList(request.list)];
}

async function unpack(items: readonly TarItem[], options: Options = {}): Promise<LayerEntry[]> {
  const tar = buildTar(items);
  return unpackBlob(tar, digestOf(tar), options);
}

async function* pieces(blob: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < blob.length; at += step) {
    await Promise.resolve();
    yield blob.subarray(at, at + step);
  }
}

function contentFiles(): string[] {
  return readdirSync(join(root, 'files'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, 'files').length + 1));
}

describe('contents', () => {
  test('lie under their hash, once, read-only, and nothing else is left', async () => {
    const large = Buffer.alloc(3_000_000, 'large');
    const entries = await unpack([
      { path: 'a', content: 'same' },
      { path: 'b', content: 'same' },
      { path: 'c', content: large },
      { path: 'd' },
    ]);
    const expected = [Buffer.from('same'), large].map((content) => {
      const hex = createHash('sha256').update(content).digest('hex');
      const path = join(root, 'files', hex.slice(0, 2), hex.slice(2));
      expect(readFileSync(path).equals(content)).toBe(true);
      expect(statSync(path).mode & 0o777).toBe(0o444);
      return `${hex.slice(0, 2)}/${hex.slice(2)}`;
    });
    expect(contentFiles().sort()).toEqual(expected.sort());
    expect(entries.map(({ path, size, contentId }) => [path.toString(), size, contentId !== undefined])).toEqual([
      ['a', 4, true],
      ['b', 4, true],
      ['c', 3_000_000, true],
      ['d', 0, false],
    ]);
    expect(entries[0]!.contentId).toEqual(entries[1]!.contentId);
    expect(readdirSync(join(root, 'temporary'))).toEqual([]);
  });

  test('a content that a crash of the machine cut off is written anew', async () => {
    await unpack([{ path: 'a', content: 'content' }]);
    const path = join(root, 'files', contentFiles()[0]!);
    rmSync(path);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    await unpack([{ path: 'a', content: 'content' }]);
    expect(readFileSync(path, 'utf8')).toBe('content');
  });

  test('of a sparse file are as long as the file says, and take no room for its holes', async () => {
    const size = 64 * 1024 * 1024;
    const pax = { 'GNU.sparse.size': String(size), 'GNU.sparse.map': `${size - 4},4` };
    const [entry] = await unpack([{ path: 'sparse', content: 'tail', pax }]);
    const stat = statSync(join(root, 'files', contentFiles()[0]!));
    expect([entry!.size, stat.size]).toEqual([size, size]);
    expect(stat.blocks * 512).toBeLessThan(1024 * 1024);
  });
});

describe('attributes', () => {
  test('all types of entries', async () => {
    const entries = await unpack([
      { path: './', type: '5', mode: 0o755 },
      { path: './etc/', type: '5', mode: 0o40755, uid: 3, gid: 4, mtime: 5 },
      { path: '/etc/sh', content: 'x', mode: 0o104755 },
      { path: 'etc/hard', type: '1', linkPath: './etc/sh' },
      { path: 'etc/soft', type: '2', linkPath: '../../../outside' },
      { path: 'dev/null', type: '3', major: 1, minor: 3, mode: 0o666 },
      { path: 'pipe', type: '6' },
      { path: 'etc/.wh.gone' },
      { path: 'var/.wh..wh..opq' },
      { path: '.wh..wh.plnk', type: '5' },
    ]);
    expect(entries.map(({ path, type }) => `${type} ${path.toString()}`)).toEqual([
      'directory ',
      'directory etc',
      'file etc/sh',
      'hardlink etc/hard',
      'symlink etc/soft',
      'character dev/null',
      'fifo pipe',
      'whiteout etc/gone',
      'opaque var',
    ]);
    expect(entries[1]).toMatchObject({ mode: 0o755, uid: 3, gid: 4, mtime: 5 });
    expect(entries[2]).toMatchObject({ mode: 0o4755, size: 1 });
    expect(entries[3]!.target!.toString()).toBe('etc/sh');
    expect(entries[4]!.target!.toString()).toBe('../../../outside');
  });

  test('of the extended ones those that mean something in a container', async () => {
    const pax = {
      'SCHILY.xattr.security.capability': Buffer.from([1, 0, 10]),
      'SCHILY.xattr.user.note': 'x',
      'SCHILY.xattr.user.overlay.redirect': '/etc',
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
      'SCHILY.xattr.security.selinux': 'label',
    };
    const [entry] = await unpack([{ path: 'f', pax }]);
    expect(entry!.xattrs.map(({ name }) => name.toString())).toEqual(['security.capability', 'user.note']);
    expect(entry!.xattrs[0]!.value).toEqual(Buffer.from([1, 0, 10]));
  });
});

describe('compression is told by the bytes', () => {
  const tar = buildTar([{ path: 'f', content: Buffer.alloc(2_000_000, 'abc') }]);
  const half = tar.length / 2 - ((tar.length / 2) % 512);
  test.each([
    ['none', tar],
    ['gzip', gzipSync(tar)],
    ['gzip of several members', Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))])],
    ['zstd', zstdCompressSync(tar)],
    [
      'zstd of several frames',
      Buffer.concat([zstdCompressSync(tar.subarray(0, half)), zstdCompressSync(tar.subarray(half))]),
    ],
    [
      'zstd:chunked, a skippable frame at the end',
      Buffer.concat([zstdCompressSync(tar), Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])]),
    ],
  ])('%s', async (_, blob) => {
    for (const step of [blob.length, 1000]) {
      const [entry] = await unpackBlob(blob, digestOf(tar), { step });
      expect(entry!.size).toBe(2_000_000);
    }
  });

  test.each([
    ['cut gzip', gzipSync(tar).subarray(0, 500), 'its compressed data is corrupt'],
    ['damaged gzip', Buffer.from(gzipSync(tar)).fill(0x55, 100, 200), 'its compressed data is corrupt'],
    ['cut zstd', zstdCompressSync(tar).subarray(0, 100), /corrupt|ends in the middle/],
    ['bzip2', Buffer.from('BZh91AY'), 'compressed with bzip2'],
    ['rubbish', Buffer.alloc(2048, 'rubbish!'), 'checksum'],
  ])('%s', async (_, blob, message) => {
    await expect(unpackBlob(blob, digestOf(tar))).rejects.toThrow(message);
    expect(readdirSync(root).sort()).toEqual(['files', 'temporary']);
  });
});

describe('hostile archives', () => {
  const long = 'n'.repeat(256);
  const hostile: [string, TarItem[], string | RegExp][] = [
    ['a path that climbs out', [{ path: '../../etc/passwd', content: 'x' }], 'has ".." in it'],
    ['one that climbs in the middle', [{ path: 'a/../../b', content: 'x' }], 'has ".." in it'],
    ['an absolute one that climbs', [{ path: '/../etc/passwd' }], 'has ".." in it'],
    ['a pax path that climbs', [{ path: 'ok', pax: { path: '../x' } }], 'has ".." in it'],
    ['a GNU long name that climbs', [{ path: 'l', type: 'L', content: '../x\0' }, { path: 'ok' }], 'has ".." in it'],
    ['a whiteout that climbs', [{ path: '../.wh.etc' }], 'has ".." in it'],
    ['a hard link out', [{ path: 'l', type: '1', linkPath: '../../../etc/shadow' }], 'has ".." in it'],
    ['a hard link to nothing', [{ path: 'l', type: '1' }], 'hard link without a valid target'],
    ['a hard link to the root', [{ path: 'l', type: '1', linkPath: '/' }], 'hard link without a valid target'],
    ['a symbolic link to nothing', [{ path: 'l', type: '2' }], 'symbolic link without a valid target'],
    ['a symbolic link with NUL', [{ path: 'l', type: '2', pax: { linkpath: 'a\0b' } }], 'without a valid target'],
    ['a symbolic link too long', [{ path: 'l', type: '2', pax: { linkpath: 'x'.repeat(4096) } }], 'over 4095 bytes'],
    ['a name over 255 bytes', [{ path: 'x', pax: { path: `d/${long}` } }], 'name over 255 bytes'],
    ['a directory name over 255 bytes', [{ path: 'x', pax: { path: `${long}/f` } }], 'name over 255 bytes'],
    ['a path over 4095 bytes', [{ path: 'x', pax: { path: 'd/'.repeat(2500) } }], 'path over 4095 bytes'],
    ['NUL in a name', [{ path: 'x', pax: { path: 'a\0b' } }], 'NUL'],
    ['a file in place of the root', [{ path: './', content: 'x', pax: { path: '/.' } }], 'replace the root'],
    ['a symbolic link in place of the root', [{ path: '.', type: '2', linkPath: '/etc' }], 'replace the root'],
    ['a whiteout of its own directory', [{ path: 'a/.wh..' }], 'whiteout of a parent'],
    ['a whiteout of the parent', [{ path: 'a/.wh...' }], 'whiteout of a parent'],
    ['a whiteout of nothing', [{ path: 'a/.wh.' }], 'whiteout of nothing'],
    ['an owner that no id is', [{ path: 'f', pax: { uid: '4294967295' } }], 'owner 4294967295:0'],
    ['a negative owner', [{ path: 'f', pax: { gid: '-2' } }], 'owner 0:-2'],
    ['a device beyond all numbers', [{ path: 'd', type: '3', major: 4096, minor: 0 }], 'device number 4096:0'],
    ['a huge attribute', [{ path: 'f', pax: { 'SCHILY.xattr.user.x': 'x'.repeat(65537) } }], 'extended attribute'],
    ['an attribute with NUL in its name', [{ path: 'f', pax: { 'SCHILY.xattr.user.\0': 'x' } }], 'extended attribute'],
    ['an unknown type', [{ path: 'f', type: 'Z' }], 'unknown type'],
    ['a size beyond the archive', [{ path: 'f', content: 'x', size: 1 << 20 }], 'middle of an entry'],
  ];
  test.each(hostile)('%s', async (_, items, message) => {
    const error = await unpack(items).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
    expect((error as Error).message.length).toBeLessThan(600);
    expect(readdirSync(root).sort()).toEqual(['files', 'temporary']);
    expect(readdirSync(join(root, 'temporary'))).toEqual([]);
  });

  test('absolute names and doubled slashes are names within the image', async () => {
    const [entry] = await unpack([{ path: '//etc//./passwd', content: 'x' }]);
    expect(entry!.path.toString()).toBe('etc/passwd');
  });

  test('writing through a link of the archive reaches nothing: it is just entries', async () => {
    const items: TarItem[] = [
      { path: 'out', type: '2', linkPath: root },
      { path: 'out/escaped', content: 'x' },
    ];
    expect((await unpack(items)).map(({ path }) => path.toString())).toEqual(['out', 'out/escaped']);
    expect(readdirSync(root).sort()).toEqual(['files', 'list', 'temporary', 'unproven']);
  });

  test('a decompression bomb stops at the limit', async () => {
    const bomb = gzipSync(buildTar([{ path: 'f', content: Buffer.alloc(50_000_000) }]));
    const limits = { layerBytes: 1_000_000 };
    await expect(unpackBlob(bomb, digestOf(''), { limits })).rejects.toThrow('over 1000000 bytes when unpacked');
    expect(readdirSync(join(root, 'temporary'))).toEqual([]);
  });

  test('a sparse bomb stops before it costs anything', async () => {
    const pax = { 'GNU.sparse.size': String(2 ** 50), 'GNU.sparse.map': '0,1' };
    await expect(unpack([{ path: 'f', content: 'x', pax }])).rejects.toThrow('bytes when unpacked');
  });

  test('many sparse files are counted together', async () => {
    const size = 600_000;
    const items = [1, 2, 3].map((each) => ({
      path: `f${each}`,
      content: 'x',
      pax: { 'GNU.sparse.size': String(size), 'GNU.sparse.map': '0,1' },
    }));
    await expect(unpack(items, { limits: { layerBytes: 1_000_000 } })).rejects.toThrow('over 1000000 bytes');
  });

  test('too many entries, too many names', async () => {
    const items = Array.from({ length: 20 }, (_, index) => ({ path: `f${index}` }));
    await expect(unpack(items, { limits: { entries: 10 } })).rejects.toThrow('over 10 entries');
    await expect(unpack(items, { limits: { metadataBytes: 30 } })).rejects.toThrow('take over 30 bytes');
  });

  test('a layer that is not what its image promises does not come to exist', async () => {
    const other = digestOf('another');
    await expect(unpack([{ path: 'f', content: 'x' }], { diffId: other })).rejects.toThrow(`not to ${other}`);
    expect(readdirSync(root).sort()).toEqual(['files', 'temporary']);
  });
});

test('a refused archive leaves no file open', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const tar = buildTar([{ path: '../x' }, { path: 'f', content: Buffer.alloc(3_000_000) }]);
  for (const blob of [tar, gzipSync(tar), zstdCompressSync(tar), Buffer.concat([Buffer.from('BZh'), tar])]) {
    const path = join(root, 'blob');
    writeFileSync(path, blob);
    const file = new GrowingFile(path);
    file.grow(blob.length);
    file.complete();
    const request = { files: root, temporary: root, list: join(root, 'list'), mark: join(root, 'mark') };
    const limits = defaultUnpackLimits;
    await expect(
      unpackLayer(file.read(), { ...request, diffId: digestOf(''), limits }, () => undefined),
    ).rejects.toThrow();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});
