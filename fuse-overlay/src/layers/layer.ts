/**
 * One layer of an image as a list of entries, as an OCI layer tar states them.
 *
 * An unpacker makes one `LayerEntry` for each tar entry, stores contents in the content store and writes the entries with
 * `LayerListWriter`. `mergeLayers` then turns the lists of an image's layers, lowest first, into one image tree.
 */

/** `whiteout` removes its path from the layers below, `opaque` hides what the layers below have in its directory. */
export const layerEntryTypes = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'fifo',
  'socket',
  'character',
  'block',
  'whiteout',
  'opaque',
] as const;

export type LayerEntryType = (typeof layerEntryTypes)[number];

export interface Xattr {
  readonly name: Buffer;
  readonly value: Buffer;
}

export interface LayerEntry {
  /** Bytes of the path from the root, without `/` at either end; empty for the root itself. */
  readonly path: Buffer;
  readonly type: LayerEntryType;
  /** The twelve permission bits. */
  readonly mode: number;
  /** As the image numbers them. */
  readonly uid: number;
  readonly gid: number;
  /** Of device nodes: `makeDevice(major, minor)`. */
  readonly rdev: number;
  /** Bytes of a regular file; 0 for everything else. */
  readonly size: number;
  /** Seconds since the epoch (may be negative), and nanoseconds. */
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly xattrs: readonly Xattr[];
  /** Target of a symlink as it stands; of a hard link the path of the file it joins, in the form of `path`. */
  readonly target?: Buffer;
  /** sha256 (32 bytes) of a regular file's content; not needed where `size` is 0. */
  readonly contentId?: Buffer;
}

/** An entry with the rest at their defaults (mode 0, ids 0, empty…). */
export function layerEntry(fields: Partial<LayerEntry> & Pick<LayerEntry, 'path' | 'type'>): LayerEntry {
  return { mode: 0, uid: 0, gid: 0, rdev: 0, size: 0, mtime: 0, mtimeNsec: 0, xattrs: [], ...fields };
}

/** PATH_MAX: a longer one could not be opened by its path. */
const pathLimit = 4096;
const slash = 0x2f;
const dot = 0x2e;

/**
 * The path of a tar entry in the form of `LayerEntry.path`: leading `/` and `./`, doubled and trailing slashes and `.` go.
 * Throws EINVAL for `..` and NUL, ENAMETOOLONG for a name over 255 bytes or a path over 4096: such a layer is malformed or
 * hostile.
 */
export function layerPath(raw: Uint8Array): Buffer {
  if (raw.length > pathLimit) throw pathError('ENAMETOOLONG', `is over ${pathLimit} bytes`, raw.subarray(0, 100));
  const out = Buffer.allocUnsafe(raw.length + 1);
  let length = 0;
  for (let at = 0; at < raw.length;) {
    let end = raw.indexOf(slash, at);
    if (end < 0) end = raw.length;
    const size = end - at;
    const isDot = size === 1 && raw[at] === dot;
    if (size === 2 && raw[at] === dot && raw[at + 1] === dot) throw pathError('EINVAL', 'has ".." in it', raw);
    if (size > 255) throw pathError('ENAMETOOLONG', 'has a name over 255 bytes', raw);
    if (size > 0 && !isDot) {
      if (length > 0) out[length++] = slash;
      out.set(raw.subarray(at, end), length);
      length += size;
    }
    at = end + 1;
  }
  if (raw.includes(0)) throw pathError('EINVAL', 'has a NUL byte in it', raw);
  return Buffer.from(out.subarray(0, length));
}

function pathError(code: string, problem: string, raw: Uint8Array): Error {
  const path = Buffer.from(raw).toString('utf8');
  return Object.assign(new Error(`Cannot take layer entry ${JSON.stringify(path)}: its path ${problem} (${code})`), {
    code,
    path,
  });
}

const whiteoutPrefix = Buffer.from('.wh.');
const opaqueName = Buffer.from('.wh..wh..opq');

/**
 * The OCI form of whiteouts (image-spec, layer.md): `.wh.NAME` removes NAME, `.wh..wh..opq` makes its directory opaque. Returns
 * what the name stands for, or undefined for an ordinary entry. Other `.wh..wh.` names (aufs' own) stand for nothing: `'ignore'`.
 */
export function parseWhiteout(path: Buffer): { type: 'whiteout' | 'opaque'; path: Buffer } | 'ignore' | undefined {
  const cut = path.lastIndexOf(slash);
  const name = path.subarray(cut + 1);
  if (name.length <= 4 || !name.subarray(0, 4).equals(whiteoutPrefix)) return undefined;
  if (name.equals(opaqueName)) return { type: 'opaque', path: path.subarray(0, Math.max(cut, 0)) };
  if (name.subarray(4, 8).equals(whiteoutPrefix)) return 'ignore';
  return { type: 'whiteout', path: Buffer.concat([path.subarray(0, cut + 1), name.subarray(4)]) };
}
