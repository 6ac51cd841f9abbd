/**
 * Writes tar headers: POSIX.1-1988 ustar with a POSIX.1-2001 pax header before it where ustar has no room (pax(1)): long names,
 * nanoseconds, ids and sizes beyond octal fields, extended attributes. The same entry gives the same bytes, always and
 * everywhere, so an archive can be made again from the list of its entries.
 */
import type { Xattr } from 'fuse-overlay';
import { BLOCK, sealHeader, tarFields } from './tar-header.ts';
import type { TarEntry, TarEntryType } from './tar-reader.ts';

const typeCharacters: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** The header of an entry, pax header included; `entry.size` bytes of content and `tarPadding` follow. */
export function encodeTarEntry(entry: TarEntry): Buffer {
  const path = entry.type === 'directory' ? Buffer.concat([entry.path, slash]) : entry.path;
  const records = paxRecords(entry, path);
  const header = encodeHeader({ ...entry, path }, typeCharacters[entry.type]);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const pax = encodeHeader({ ...plain, path: paxName(entry.path), size: body.length }, 'x');
  return Buffer.concat([pax, body, tarPadding(body.length), header]);
}

/** What fills the last block of a content of this many bytes. */
export function tarPadding(size: number): Buffer {
  return zeros.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

const zeros = Buffer.alloc(2 * BLOCK);
const slash = Buffer.from('/');

/** Two blocks of zeros. */
export const tarEnd: Buffer = zeros;

const plain = {
  linkPath: Buffer.alloc(0),
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNsec: 0,
  major: 0,
  minor: 0,
  xattrs: [],
} as const;

type HeaderFields = Omit<TarEntry, 'type'>;

function encodeHeader(entry: HeaderFields, type: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  entry.path.copy(header, tarFields.name.at, 0, tarFields.name.size);
  entry.linkPath.copy(header, tarFields.linkName.at, 0, tarFields.linkName.size);
  octal(header, tarFields.mode, entry.mode & 0o7777);
  octal(header, tarFields.uid, entry.uid);
  octal(header, tarFields.gid, entry.gid);
  octal(header, tarFields.size, entry.size);
  octal(header, tarFields.mtime, entry.mtime);
  header.write(type, tarFields.type.at, 'latin1');
  header.write('ustar\x0000', tarFields.magic.at, 'latin1');
  octal(header, tarFields.major, entry.major);
  octal(header, tarFields.minor, entry.minor);
  sealHeader(header);
  return header;
}

/** What does not fit is 0 here and stands in the pax header. */
function octal(header: Buffer, field: { at: number; size: number }, value: number): void {
  const text = fits(value, field.size) ? value.toString(8) : '0';
  header.write(text.padStart(field.size - 1, '0'), field.at, field.size - 1, 'latin1');
}

function fits(value: number, size: number): boolean {
  return value >= 0 && value < 8 ** (size - 1);
}

/** Records in the order of their keys. */
function paxRecords(entry: TarEntry, path: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (const { name, value } of sorted(entry.xattrs)) {
    records.push(paxRecord(Buffer.concat([Buffer.from('SCHILY.xattr.'), name]), value));
  }
  number('gid', entry.gid, tarFields.gid);
  if (entry.linkPath.length > tarFields.linkName.size) text('linkpath', entry.linkPath);
  if (entry.mtimeNsec !== 0 || !fits(entry.mtime, tarFields.mtime.size)) text('mtime', Buffer.from(paxTime(entry)));
  if (path.length > tarFields.name.size) text('path', path);
  number('size', entry.size, tarFields.size);
  number('uid', entry.uid, tarFields.uid);
  return records;

  function text(key: string, value: Buffer): void {
    records.push(paxRecord(Buffer.from(key), value));
  }
  function number(key: string, value: number, field: { size: number }): void {
    if (!fits(value, field.size)) text(key, Buffer.from(String(value)));
  }
}

function sorted(xattrs: readonly Xattr[]): readonly Xattr[] {
  return xattrs.length < 2 ? xattrs : [...xattrs].sort((a, b) => a.name.compare(b.name));
}

/** Decimal seconds: second -2 and 750,000,000 ns is -1.25. */
function paxTime({ mtime, mtimeNsec }: Pick<TarEntry, 'mtime' | 'mtimeNsec'>): string {
  const isNegative = mtime < 0 && mtimeNsec > 0;
  const seconds = isNegative ? -(mtime + 1) : mtime;
  const nanoseconds = isNegative ? 1_000_000_000 - mtimeNsec : mtimeNsec;
  const fraction = nanoseconds === 0 ? '' : `.${String(nanoseconds).padStart(9, '0').replace(/0+$/, '')}`;
  return `${isNegative ? '-' : ''}${seconds}${fraction}`;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: Buffer, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.concat([Buffer.from(`${length} `), key, Buffer.from('='), value, Buffer.from('\n')]);
}

/** As other tars name it, cut to fit. */
function paxName(path: Buffer): Buffer {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1);
  const folder = Buffer.from('PaxHeaders.0/');
  return Buffer.concat([folder, name]).subarray(0, tarFields.name.size);
}
