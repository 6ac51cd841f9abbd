/**
 * The file of an image tree: counts, then arrays one after the other, in native little-endian order, so that a mapping of the
 * file is the index itself. A node's number is its position in the arrays; FUSE's node id is one more, the root is 1.
 *
 * Nodes (one for all hard links of a file):
 *   size       bytes of a file, length of a symlink's target, number of names of a directory
 *   mtime, mtimeNsec, mode (st_mode), uid, gid, nlink
 *   data       directory: its first entry; file: its content (`noContent` when empty); symlink: offset of its target;
 *              device: its number
 *   parent     directory: the directory it lies in
 *   xattrs     1 + offset of its extended attributes, 0 without any
 * Entries (names), those of one directory side by side in the order of their bytes:
 *   entryName  offset of the name, which ends where the next one begins; entryNode
 * Contents: sha256 ids.
 * Attributes of a node: u32 count, then for each u32 length of name, u32 length of value, name, value.
 */

export const treeMagic: Buffer = Buffer.from('FOVTREE1');
export const headerSize = 64;
export const noContent = 0xffffffff;
export const contentIdSize = 32;

/** In the order of the header (u32 each, from byte 8). */
export interface TreeCounts {
  nodes: number;
  entries: number;
  contents: number;
  nameBytes: number;
  targetBytes: number;
  xattrBytes: number;
}

const countKeys = ['nodes', 'entries', 'contents', 'nameBytes', 'targetBytes', 'xattrBytes'] as const;

export interface TreeArrays {
  size: Float64Array;
  mtime: Float64Array;
  mtimeNsec: Uint32Array;
  mode: Uint32Array;
  uid: Uint32Array;
  gid: Uint32Array;
  nlink: Uint32Array;
  data: Uint32Array;
  parent: Uint32Array;
  xattrs: Uint32Array;
  entryName: Uint32Array;
  entryNode: Uint32Array;
  contentIds: Uint8Array;
  names: Uint8Array;
  targets: Uint8Array;
  xattrBytes: Uint8Array;
}

/** The size of a file with these counts. */
export function treeFileSize(counts: TreeCounts): number {
  const perNode = 2 * 8 + 8 * 4;
  return (
    headerSize +
    counts.nodes * perNode +
    (counts.entries + 1 + counts.entries) * 4 +
    counts.contents * contentIdSize +
    counts.nameBytes +
    counts.targetBytes +
    counts.xattrBytes
  );
}

/** Views of all arrays over the memory of a file. */
export function treeArrays(memory: ArrayBuffer, counts: TreeCounts): TreeArrays {
  let at = headerSize;
  function f64(length: number): Float64Array {
    at += length * 8;
    return new Float64Array(memory, at - length * 8, length);
  }
  function u32(length: number): Uint32Array {
    at += length * 4;
    return new Uint32Array(memory, at - length * 4, length);
  }
  function u8(length: number): Uint8Array {
    at += length;
    return new Uint8Array(memory, at - length, length);
  }
  const { nodes, entries } = counts;
  return {
    size: f64(nodes),
    mtime: f64(nodes),
    mtimeNsec: u32(nodes),
    mode: u32(nodes),
    uid: u32(nodes),
    gid: u32(nodes),
    nlink: u32(nodes),
    data: u32(nodes),
    parent: u32(nodes),
    xattrs: u32(nodes),
    entryName: u32(entries + 1),
    entryNode: u32(entries),
    contentIds: u8(counts.contents * contentIdSize),
    names: u8(counts.nameBytes),
    targets: u8(counts.targetBytes),
    xattrBytes: u8(counts.xattrBytes),
  };
}

export function writeTreeHeader(memory: ArrayBuffer, counts: TreeCounts): void {
  Buffer.from(memory).set(treeMagic, 0);
  const view = new DataView(memory);
  for (const [index, key] of countKeys.entries()) view.setUint32(8 + index * 4, counts[key], true);
}

/** The counts in a header; undefined when the file is no tree, or not of the size that they state. */
export function readTreeHeader(header: Uint8Array, fileSize: number): TreeCounts | undefined {
  if (header.length < headerSize || !treeMagic.equals(header.subarray(0, 8))) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, headerSize);
  const [nodes, entries, contents, nameBytes, targetBytes, xattrBytes] = countKeys.map((_, index) =>
    view.getUint32(8 + index * 4, true),
  ) as [number, number, number, number, number, number];
  const counts = { nodes, entries, contents, nameBytes, targetBytes, xattrBytes };
  return nodes > 0 && treeFileSize(counts) === fileSize ? counts : undefined;
}
