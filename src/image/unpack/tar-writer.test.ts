import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { TarReader, type TarEntry } from './tar-reader.ts';
import { encodeTarEntry, tarEnd, tarPadding } from './tar-writer.ts';

function entry(fields: Partial<TarEntry>): TarEntry {
  return {
    type: 'file',
    path: Buffer.from('file'),
    linkPath: Buffer.alloc(0),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    mtimeNsec: 0,
    major: 0,
    minor: 0,
    xattrs: [],
    ...fields,
  };
}

const long = Buffer.from(`${'long/'.repeat(60)}name`);

const entries: TarEntry[] = [
  entry({ type: 'directory', path: Buffer.from('.'), mode: 0o1777 }),
  entry({ type: 'directory', path: Buffer.from('d'.repeat(100)) }),
  entry({ path: long, size: 3, mtime: 1_700_000_000, mtimeNsec: 123_456_789 }),
  entry({ path: Buffer.from([0x66, 0xff, 0xfe, 0x20]), uid: 2 ** 21, gid: 4_294_967_293 }),
  entry({ path: Buffer.from('before the epoch'), mtime: -2, mtimeNsec: 750_000_000 }),
  entry({ path: Buffer.from('far'), mtime: 8 ** 11 }),
  entry({ type: 'symlink', path: Buffer.from('link'), linkPath: long, mode: 0o777 }),
  entry({ type: 'hardlink', path: Buffer.from('again'), linkPath: Buffer.from('file'), uid: 7 }),
  entry({ type: 'character', path: Buffer.from('null'), major: 1, minor: 3 }),
  entry({ type: 'block', path: Buffer.from('disk'), major: 0xfff, minor: 0xfffff }),
  entry({ type: 'fifo', path: Buffer.from('fifo'), mode: 0o4711 }),
  entry({
    path: Buffer.from('capable'),
    xattrs: [
      { name: Buffer.from('security.capability'), value: Buffer.from([1, 0, 0, 2, 0x0a, 0x3d, 0, 255]) },
      { name: Buffer.from('user.empty'), value: Buffer.alloc(0) },
    ],
  }),
];

const archive = Buffer.concat([
  ...entries.flatMap((each) => [encodeTarEntry(each), Buffer.alloc(each.size, 'x'), tarPadding(each.size)]),
  tarEnd,
]);

test('what is written is read again, exactly', () => {
  const read: TarEntry[] = [];
  const reader = new TarReader({
    entry: (each) => read.push(each),
    data: () => undefined,
    hole: () => undefined,
    endOfEntry: () => undefined,
  });
  reader.write(archive);
  reader.end();
  const expected = entries.map((each) =>
    each.type === 'directory' ? { ...each, path: Buffer.concat([each.path, Buffer.from('/')]) } : each,
  );
  expect(read).toEqual(expected);
});

test('a size beyond eleven octal digits goes into the pax header', () => {
  const [size, content] = [8 ** 11 + 1, encodeTarEntry(entry({ size: 8 ** 11 + 1 }))];
  expect(content.toString('latin1')).toContain(`size=${size}\n`);
});

test("GNU tar lists it without a complaint, and Python's tarfile sees the same", () => {
  const listed = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive, encoding: 'utf8' });
  const lines = listed.trimEnd().split('\n');
  expect(lines).toHaveLength(entries.length);
  expect(lines[8]).toMatch(/^crw-r--r-- 0\/0 +1,3 1970-01-01/);
  expect(lines[3]).toContain('2097152/4294967293');
});
