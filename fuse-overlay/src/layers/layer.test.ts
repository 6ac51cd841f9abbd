import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layerEntry, layerPath, parseWhiteout, type LayerEntry } from './layer.ts';
import { LayerListWriter, readLayerList } from './layer-list.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

test.each([
  ['usr/bin/env', 'usr/bin/env'],
  ['./usr//bin/./env/', 'usr/bin/env'],
  ['/', ''],
  ['./', ''],
  ['/etc', 'etc'],
  ['..data/x..', '..data/x..'],
])('the path of %s is %s', (raw, expected) => {
  expect(layerPath(Buffer.from(raw)).toString()).toBe(expected);
});

test.each([
  ['../etc/passwd', 'EINVAL'],
  ['a/../../b', 'EINVAL'],
  ['a/..', 'EINVAL'],
  ['a\0b', 'EINVAL'],
  [`a/${'n'.repeat(256)}`, 'ENAMETOOLONG'],
  ['a/'.repeat(2100), 'ENAMETOOLONG'],
])('refuses the path %j', (raw, code) => {
  expect(() => layerPath(Buffer.from(raw))).toThrow(expect.objectContaining({ code }));
});

test('names of whiteouts', () => {
  function parsed(path: string): string | undefined {
    const result = parseWhiteout(Buffer.from(path));
    return typeof result === 'object' ? `${result.type} ${result.path.toString()}` : result;
  }
  expect(parsed('a/.wh.b')).toBe('whiteout a/b');
  expect(parsed('.wh.b')).toBe('whiteout b');
  expect(parsed('a/b/.wh..wh..opq')).toBe('opaque a/b');
  expect(parsed('.wh..wh..opq')).toBe('opaque ');
  expect(parsed('a/.wh..wh.plnk')).toBe('ignore');
  expect(parsed('a/.wh.')).toBeUndefined();
  expect(parsed('a/x.wh.b')).toBeUndefined();
});

const entries: LayerEntry[] = [
  layerEntry({ path: Buffer.alloc(0), type: 'directory', mode: 0o755, mtime: -1, mtimeNsec: 999999999 }),
  layerEntry({
    path: Buffer.from([0xff, 0x2f, 0x80]),
    type: 'file',
    mode: 0o4711,
    uid: 65534,
    gid: 4294967294,
    size: 5 * 2 ** 32,
    contentId: Buffer.alloc(32, 7),
    xattrs: [
      { name: Buffer.from('user.a'), value: Buffer.from([0, 1]) },
      { name: Buffer.from('security.capability'), value: Buffer.alloc(0) },
    ],
  }),
  layerEntry({ path: Buffer.from('link'), type: 'symlink', target: Buffer.from('to/where') }),
  layerEntry({ path: Buffer.from('dev'), type: 'character', rdev: 0x103 }),
  layerEntry({ path: Buffer.from('gone'), type: 'whiteout' }),
];

test('a list gives back what was written', () => {
  const path = join(directory, 'list');
  const writer = new LayerListWriter();
  for (const entry of entries) writer.add(entry);
  expect(writer.count).toBe(entries.length);
  writer.commit(path);
  expect([...readLayerList(path)]).toEqual(entries);
});

test('a damaged list is refused with its name, wherever it is damaged', () => {
  const path = join(directory, 'list');
  const writer = new LayerListWriter();
  for (const entry of entries) writer.add(entry);
  writer.commit(path);
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length += 3) {
    truncateSync(path, 0);
    writeFileSync(path, whole.subarray(0, length));
    expect(() => [...readLayerList(path)]).toThrow(expect.objectContaining({ code: 'EBADMSG', path }));
  }
});
