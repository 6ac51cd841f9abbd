/**
 * What can happen to an upper layer, as values: the store journals them and applies them to its tables, in a live server and
 * in recovery alike. Each kind of change is one row of `layouts`, which gives both its type and its form on disk.
 *
 * Inode numbers, sizes and seconds pass 32 bits and are stored as IEEE doubles, exact to 2^53.
 */
import { addressOf } from '../../sys/memory.ts';

/** `name`: up to 64 KiB of bytes as a latin1 string; `bytes`: up to 4 GiB. */
type FieldType = 'u8' | 'u32' | 'f64' | 'name' | 'bytes';

const layouts = {
  /** All attributes of an inode, known to be those on disk: creates it or replaces them. */
  inode: {
    ino: 'f64',
    mode: 'u32',
    uid: 'u32',
    gid: 'u32',
    rdev: 'u32',
    nlink: 'u32',
    size: 'f64',
    blocks: 'f64',
    atime: 'f64',
    atimeNsec: 'u32',
    mtime: 'f64',
    mtimeNsec: 'u32',
    ctime: 'f64',
    ctimeNsec: 'u32',
    data: 'u8',
    flags: 'u8',
    parent: 'f64',
  },
  /** A name was added to or taken from a directory. */
  touch: { ino: 'f64', nlink: 'u32', mtime: 'f64', mtimeNsec: 'u32' },
  /** A link was made or taken away, or the inode moved. */
  links: { ino: 'f64', nlink: 'u32', ctime: 'f64', ctimeNsec: 'u32', parent: 'f64' },
  /** Contents are about to change: from here on size, blocks and mtime are those of the data file. */
  data: { ino: 'f64', data: 'u8' },
  /** The name in this directory is this inode; 0 is a whiteout. `seq` orders the directory's listing. */
  entry: { parent: 'f64', seq: 'u32', ino: 'f64', name: 'name' },
  /** The directory says nothing of this name any more. */
  unentry: { parent: 'f64', name: 'name' },
  target: { ino: 'f64', target: 'bytes' },
  xattr: { ino: 'f64', name: 'name', value: 'bytes' },
  unxattr: { ino: 'f64', name: 'name' },
  /** Where the lower layer has the node of this number, for layers whose node ids are not the same in every process. */
  origin: { ino: 'f64', parent: 'f64', name: 'name' },
  /** The inode is gone. */
  drop: { ino: 'f64' },
  /** Numbers below this one were given out. */
  next: { ino: 'f64' },
  /** The request that this transaction did, and the inode that it made. */
  request: { id: 'f64', ino: 'f64' },
  /** A server began to work on the layer, in this boot of the machine, over this lower layer. */
  opened: { boot: 'name', lower: 'name' },
  /** The server ended in good order; only the last change of a journal counts. */
  closed: {},
} as const satisfies Record<string, Record<string, FieldType>>;

type Layouts = typeof layouts;
interface Values {
  u8: number;
  u32: number;
  f64: number;
  name: string;
  bytes: Buffer;
}
type Fields<K extends keyof Layouts> = {
  -readonly [F in keyof Layouts[K]]: Layouts[K][F] extends FieldType ? Values[Layouts[K][F]] : never;
};

export type ChangeKind = keyof Layouts;
export type ChangeOf<K extends ChangeKind> = { kind: K } & Fields<K>;
export type Change = { [K in ChangeKind]: ChangeOf<K> }[ChangeKind];

// Kinds are numbered by their place in `layouts`: new ones go to its end.
const kinds = Object.keys(layouts) as ChangeKind[];
const codes = new Map(kinds.map((kind, code) => [kind, code]));
const fields = new Map(kinds.map((kind) => [kind, Object.entries(layouts[kind]) as [string, FieldType][]]));

/** Builds the encoded form of changes in one growing buffer. */
export class ChangeEncoder {
  #buffer = Buffer.allocUnsafeSlow(4096);
  #address = addressOf(this.#buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Valid until the next call of any method. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Where `bytes` lie, for system calls. */
  get address(): number {
    return this.#address;
  }

  /** Empties the buffer, but for room of `length` bytes at its start. */
  reset(length: number): void {
    this.#length = length;
  }

  add(change: Change): void {
    this.#reserve(256);
    this.#length = this.#buffer.writeUInt8(codes.get(change.kind)!, this.#length);
    const values = change as unknown as Record<string, Values[FieldType]>;
    for (const [field, type] of fields.get(change.kind)!) this.#put(type, values[field]!);
  }

  #put(type: FieldType, value: Values[FieldType]): void {
    const buffer = this.#buffer;
    const at = this.#length;
    if (type === 'f64') this.#length = buffer.writeDoubleLE(value as number, at);
    else if (type === 'u32') this.#length = buffer.writeUInt32LE(value as number, at);
    else if (type === 'u8') this.#length = buffer.writeUInt8(value as number, at);
    else if (type === 'name') this.#putName(value as string);
    else this.#putBytes(value as Buffer);
  }

  #putName(name: string): void {
    this.#reserve(name.length + 256);
    this.#length = this.#buffer.writeUInt16LE(name.length, this.#length);
    this.#length += this.#buffer.write(name, this.#length, 'latin1');
  }

  #putBytes(bytes: Buffer): void {
    this.#reserve(bytes.length + 256);
    this.#length = this.#buffer.writeUInt32LE(bytes.length, this.#length);
    this.#length += bytes.copy(this.#buffer, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + more));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
    this.#address = addressOf(larger);
  }
}

/** By code. */
const fieldsByCode = kinds.map((kind) => fields.get(kind)!);

/** Hands each change encoded in `bytes` to `visit`. Throws EINVAL where it is not what this version's encoder writes. */
export function decodeChanges(bytes: Buffer, visit: (change: Change) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const code = view.getUint8(at++);
    const kind = kinds[code];
    if (kind === undefined) throw malformed('a kind of change that this version does not know');
    const change: Record<string, Values[FieldType]> = { kind };
    for (const [field, type] of fieldsByCode[code]!) {
      if (type === 'f64') {
        change[field] = view.getFloat64(at, true);
        at += 8;
      } else if (type === 'u32') {
        change[field] = view.getUint32(at, true);
        at += 4;
      } else if (type === 'u8') {
        change[field] = view.getUint8(at++);
      } else {
        const isName = type === 'name';
        const start = at + (isName ? 2 : 4);
        at = start + (isName ? view.getUint16(at, true) : view.getUint32(at, true));
        if (at > bytes.length) throw malformed('a value that ends behind its frame');
        // A copy: the frame's buffer may be that of a whole journal.
        change[field] = isName ? bytes.toString('latin1', start, at) : Buffer.from(bytes.subarray(start, at));
      }
    }
    visit(change as unknown as Change);
  }
}

function malformed(what: string): Error {
  return Object.assign(new Error(`Cannot read the journal of an upper layer: it has ${what} (EINVAL)`), {
    code: 'EINVAL',
  });
}
