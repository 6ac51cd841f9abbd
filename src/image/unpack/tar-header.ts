/**
 * The 512-byte tar header: POSIX.1-1988 ustar (pax(1), "ustar Interchange Format"), GNU tar's variant and star's.
 * Offsets stand in one table; numbers are octal text or, where the first bit is set, base-256 (GNU tar manual, "Extensions").
 */

export const BLOCK = 512;

interface Field {
  readonly at: number;
  readonly size: number;
}

/** Where the fields of a header lie. */
export const tarFields = {
  name: { at: 0, size: 100 },
  mode: { at: 100, size: 8 },
  uid: { at: 108, size: 8 },
  gid: { at: 116, size: 8 },
  size: { at: 124, size: 12 },
  mtime: { at: 136, size: 12 },
  checksum: { at: 148, size: 8 },
  type: { at: 156, size: 1 },
  linkName: { at: 157, size: 100 },
  magic: { at: 257, size: 8 },
  major: { at: 329, size: 8 },
  minor: { at: 337, size: 8 },
  prefix: { at: 345, size: 155 },
  // star keeps atime and ctime behind a shorter prefix, and "tar\0" at the very end.
  starPrefix: { at: 345, size: 131 },
  starTrailer: { at: 508, size: 4 },
  // GNU's own sparse format ('S'): four pairs, "more follows" flag, the file's true size.
  sparseMap: { at: 386, size: 96 },
  sparseExtended: { at: 482, size: 1 },
  realSize: { at: 483, size: 12 },
} as const satisfies Record<string, Field>;

export interface TarHeader {
  /** One character: `'0'` regular … `'x'` pax. NUL (before POSIX) comes as `'0'`. */
  readonly type: string;
  readonly path: Buffer;
  readonly linkPath: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of payload that follow. */
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

/** What is wrong with an archive; the unpacker adds which layer it is. */
export class TarError extends Error {}

/** Decodes a header block, or returns undefined for the all-zero block that ends an archive. */
export function decodeHeader(block: Buffer): TarHeader | undefined {
  const sum = checksums(block);
  if (sum.unsigned === CHECKSUM_OF_ZEROS && block.every((byte) => byte === 0)) return undefined;
  const stated = number(block, tarFields.checksum, 'checksum');
  // Old tars summed signed bytes; both sums are accepted everywhere.
  if (stated !== sum.unsigned && stated !== sum.signed) throw new TarError('a header has a wrong checksum');
  const type = String.fromCharCode(block[tarFields.type.at]!);
  const isDevice = type === '3' || type === '4';
  return {
    type: type === '\0' ? '0' : type,
    path: fullName(block),
    linkPath: text(block, tarFields.linkName),
    mode: number(block, tarFields.mode, 'mode'),
    uid: number(block, tarFields.uid, 'user id'),
    gid: number(block, tarFields.gid, 'group id'),
    size: nonNegative(number(block, tarFields.size, 'size'), 'size'),
    mtime: number(block, tarFields.mtime, 'time'),
    major: isDevice ? number(block, tarFields.major, 'device number') : 0,
    minor: isDevice ? number(block, tarFields.minor, 'device number') : 0,
  };
}

/** A run of data within a sparse file; what lies between two is a hole. */
export interface DataRun {
  readonly offset: number;
  readonly size: number;
}

/** The head of GNU's sparse map: true size, the first runs, and whether extension blocks follow. */
export function decodeOldSparse(block: Buffer): { realSize: number; runs: DataRun[]; extended: boolean } {
  return {
    realSize: nonNegative(number(block, tarFields.realSize, 'size'), 'size'),
    runs: decodeRuns(block.subarray(tarFields.sparseMap.at, tarFields.sparseMap.at + tarFields.sparseMap.size)),
    extended: block[tarFields.sparseExtended.at] !== 0,
  };
}

/** An extension block of that map: 21 pairs and the flag. */
export function decodeSparseExtension(block: Buffer): { runs: DataRun[]; extended: boolean } {
  return { runs: decodeRuns(block.subarray(0, 504)), extended: block[504] !== 0 };
}

function decodeRuns(area: Buffer): DataRun[] {
  const runs: DataRun[] = [];
  for (let at = 0; at + 24 <= area.length && area[at] !== 0; at += 24) {
    const offset = nonNegative(number(area, { at, size: 12 }, 'sparse map'), 'sparse map');
    const size = nonNegative(number(area, { at: at + 12, size: 12 }, 'sparse map'), 'sparse map');
    runs.push({ offset, size });
  }
  return runs;
}

const CHECKSUM_OF_ZEROS = 8 * 0x20;

/** Fills in the checksum: six octal digits, NUL and space. */
export function sealHeader(block: Buffer): void {
  const { at } = tarFields.checksum;
  block.write(`${checksums(block).unsigned.toString(8).padStart(6, '0')}\0 `, at, 'latin1');
}

/** Sum of all bytes with the checksum field itself taken as spaces. */
function checksums(block: Buffer): { unsigned: number; signed: number } {
  let unsigned = CHECKSUM_OF_ZEROS;
  let high = 0;
  const { at: from, size } = tarFields.checksum;
  for (let at = 0; at < BLOCK; at++) {
    if (at === from) at += size;
    const byte = block[at]!;
    unsigned += byte;
    high += byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}

function fullName(block: Buffer): Buffer {
  const name = text(block, tarFields.name);
  const { at, size } = tarFields.magic;
  // GNU ("ustar  \0") uses the prefix's place for other things.
  if (block.toString('latin1', at, at + size - 2) !== 'ustar\0') return name;
  const trailer = tarFields.starTrailer;
  const isStar = block.toString('latin1', trailer.at, trailer.at + trailer.size) === 'tar\0';
  const prefix = text(block, isStar ? tarFields.starPrefix : tarFields.prefix);
  return prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name;
}

/** A copy, for the block's memory is reused. */
function text(block: Buffer, { at, size }: Field): Buffer {
  const field = block.subarray(at, at + size);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end));
}

function number(block: Buffer, { at, size }: Field, what: string): number {
  const first = block[at]!;
  if (first & 0x80) return base256(block, at, size, what);
  let value = 0;
  let isBlank = true;
  for (let index = at; index < at + size; index++) {
    const byte = block[index]!;
    if (byte >= 0x30 && byte <= 0x37) {
      value = value * 8 + (byte - 0x30);
      isBlank = false;
    } else if (byte === 0 || byte === 0x20) {
      if (!isBlank) break;
    } else {
      throw new TarError(`a header has a malformed ${what}`);
    }
  }
  return value;
}

/** Big-endian two's complement behind the marker bit. */
function base256(block: Buffer, at: number, size: number, what: string): number {
  const isNegative = (block[at]! & 0x40) !== 0;
  let value = isNegative ? (block[at]! & 0x3f) - 0x40 : block[at]! & 0x3f;
  for (let index = at + 1; index < at + size; index++) value = value * 256 + block[index]!;
  if (!Number.isSafeInteger(value)) throw new TarError(`a header has a ${what} out of range`);
  return value;
}

function nonNegative(value: number, what: string): number {
  if (value < 0) throw new TarError(`a header has a negative ${what}`);
  return value;
}
