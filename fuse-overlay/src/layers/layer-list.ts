/**
 * The list of a layer's entries as a file: a header, then one record for each entry in the order of the tar.
 *
 *   header   "FOVLIST1", u32 number of records, u32 0
 *   record   u32 length of the whole record, u8 type, u8 flags (1: has a content id), u16 number of xattrs,
 *            u32 mode, uid, gid, rdev, f64 size, f64 mtime, u32 mtimeNsec, u32 length of path, u32 length of target,
 *            path, target, content id, xattrs (u32 length of name, u32 length of value, name, value)
 *
 * All little-endian and unaligned. The file is written in whole and renamed into place: it is there complete or not at all.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { layerEntryTypes, type LayerEntry, type Xattr } from './layer.ts';

const magic = Buffer.from('FOVLIST1');
const headerSize = 16;
const fixedSize = 52;
const hasContentId = 1;

export class LayerListWriter {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #length = headerSize;
  #count = 0;

  /** Number of entries added. */
  get count(): number {
    return this.#count;
  }

  /** Adds an entry. Order matters: of two entries with one path the later one counts. */
  add(entry: LayerEntry): void {
    const target = entry.target ?? Buffer.alloc(0);
    let size = fixedSize + entry.path.length + target.length + (entry.contentId ? 32 : 0);
    for (const { name, value } of entry.xattrs) size += 8 + name.length + value.length;
    this.#reserve(size);

    const buffer = this.#buffer;
    let at = this.#length;
    buffer.writeUInt32LE(size, at);
    buffer.writeUInt8(layerEntryTypes.indexOf(entry.type), at + 4);
    buffer.writeUInt8(entry.contentId ? hasContentId : 0, at + 5);
    buffer.writeUInt16LE(entry.xattrs.length, at + 6);
    buffer.writeUInt32LE(entry.mode, at + 8);
    buffer.writeUInt32LE(entry.uid, at + 12);
    buffer.writeUInt32LE(entry.gid, at + 16);
    buffer.writeUInt32LE(entry.rdev, at + 20);
    buffer.writeDoubleLE(entry.size, at + 24);
    buffer.writeDoubleLE(entry.mtime, at + 32);
    buffer.writeUInt32LE(entry.mtimeNsec, at + 40);
    buffer.writeUInt32LE(entry.path.length, at + 44);
    buffer.writeUInt32LE(target.length, at + 48);
    at += fixedSize;
    at += entry.path.copy(buffer, at);
    at += target.copy(buffer, at);
    if (entry.contentId) {
      if (entry.contentId.length !== 32) throw new RangeError('A content id has 32 bytes');
      at += entry.contentId.copy(buffer, at);
    }
    for (const { name, value } of entry.xattrs) {
      at = buffer.writeUInt32LE(name.length, at);
      at = buffer.writeUInt32LE(value.length, at);
      at += name.copy(buffer, at);
      at += value.copy(buffer, at);
    }
    this.#length = at;
    this.#count++;
  }

  /** Writes the list to `path`, atomically. */
  commit(path: string): void {
    magic.copy(this.#buffer, 0);
    this.#buffer.writeUInt32LE(this.#count, 8);
    this.#buffer.writeUInt32LE(0, 12);
    writeFileAtomically(path, [this.#buffer.subarray(0, this.#length)]);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** The entries of a list, in order. Throws a clear error where the file is no list or is cut short. */
export function* readLayerList(path: string): Generator<LayerEntry> {
  const buffer = readFileSync(path);
  if (buffer.length < headerSize || !buffer.subarray(0, 8).equals(magic)) throw damaged(path, 'no layer list');
  const count = buffer.readUInt32LE(8);
  let at = headerSize;
  for (let index = 0; index < count; index++) {
    const size = at + fixedSize <= buffer.length ? buffer.readUInt32LE(at) : 0;
    if (size < fixedSize || at + size > buffer.length) throw damaged(path, `record ${index} is cut short`);
    yield decodeRecord(path, buffer.subarray(at, at + size));
    at += size;
  }
}

function decodeRecord(path: string, record: Buffer): LayerEntry {
  const type = layerEntryTypes[record.readUInt8(4)];
  const idLength = record.readUInt8(5) & hasContentId ? 32 : 0;
  const pathEnd = fixedSize + record.readUInt32LE(44);
  const targetEnd = pathEnd + record.readUInt32LE(48);
  if (type === undefined || targetEnd + idLength > record.length) throw damaged(path, 'a record is malformed');
  const xattrs: Xattr[] = [];
  let at = targetEnd + idLength;
  for (let left = record.readUInt16LE(6); left > 0; left--) {
    if (at + 8 > record.length) throw damaged(path, 'an attribute is cut short');
    const nameEnd = at + 8 + record.readUInt32LE(at);
    const end = nameEnd + record.readUInt32LE(at + 4);
    if (end > record.length) throw damaged(path, 'an attribute is cut short');
    xattrs.push({ name: record.subarray(at + 8, nameEnd), value: record.subarray(nameEnd, end) });
    at = end;
  }
  return {
    path: record.subarray(fixedSize, pathEnd),
    type,
    mode: record.readUInt32LE(8),
    uid: record.readUInt32LE(12),
    gid: record.readUInt32LE(16),
    rdev: record.readUInt32LE(20),
    size: record.readDoubleLE(24),
    mtime: record.readDoubleLE(32),
    mtimeNsec: record.readUInt32LE(40),
    xattrs,
    ...(targetEnd > pathEnd && { target: record.subarray(pathEnd, targetEnd) }),
    ...(idLength > 0 && { contentId: record.subarray(targetEnd, targetEnd + 32) }),
  };
}

function damaged(path: string, problem: string): Error {
  return Object.assign(new Error(`Cannot read layer list ${path}: ${problem}`), { code: 'EBADMSG', path });
}

/** Writes the parts to a temporary file beside `path`, syncs and renames it. */
export function writeFileAtomically(path: string, parts: readonly Uint8Array[]): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w', 0o644);
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += writeSync(fd, part, at);
    }
    fsyncSync(fd);
  } catch (error) {
    closeSync(fd);
    rmSync(temporary, { force: true });
    throw error;
  }
  closeSync(fd);
  renameSync(temporary, path);
}
