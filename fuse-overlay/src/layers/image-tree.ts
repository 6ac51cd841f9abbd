/** An image's merged tree over its mapped index: every question but a file's contents is answered from memory. */
import { FileType, type Attributes } from '../server/attributes.ts';
import { NOT_YET, type ReadRoom } from '../server/file-system.ts';
import { Name } from '../server/name.ts';
import { ENODATA, checked, errno } from '../sys/errors.ts';
import { close, openAt } from '../sys/files.ts';
import { preadFully, willNeed } from '../sys/io.ts';
import { addressOf } from '../sys/memory.ts';
import { mapFile, type Mapping } from '../sys/mmap.ts';
import { AT_FDCWD, O_RDONLY } from '../sys/open-flags.ts';
import { FileStat, statFd } from '../sys/stat.ts';
import { ContentFiles } from './content-files.ts';
import { replyFromFile } from './read-soon.ts';
import type { ListVisitor, LowerLayer } from './lower-layer.ts';
import {
  contentIdSize,
  headerSize,
  noContent,
  readTreeHeader,
  treeArrays,
  treeFileSize,
  type TreeArrays,
} from './tree-format.ts';

/**
 * Opens the tree at `indexPath`, with contents in the store whose directory `contents` is a descriptor of (it stays the
 * caller's and must outlive the tree). The file must never change. Throws a system error, or EBADMSG where it is no tree.
 *
 * `onMissing` is called where the store lacks a content: true says that it is on its way and is worth waiting for. Reads of a mounted
 * tree then wait without holding anybody up; `open` waits in place.
 */
export function openImageTree(indexPath: string, contents: number, onMissing?: OnMissing): ImageTree {
  const action = `open image tree ${indexPath}`;
  const fd = checked(openAt(AT_FDCWD, indexPath, O_RDONLY), 'openat', action, indexPath);
  try {
    const stat = new FileStat();
    checked(statFd(fd, stat), 'statx', action, indexPath);
    const header = Buffer.from(new ArrayBuffer(128), 0, headerSize);
    checked(preadFully(fd, addressOf(header), headerSize, 0), 'pread', action, indexPath);
    const counts = readTreeHeader(header, stat.size);
    if (counts === undefined) {
      const message = `Cannot ${action}: it is no image tree, or cut short`;
      throw Object.assign(new Error(message), { code: 'EBADMSG', path: indexPath });
    }
    const mapping = mapFile(fd, stat.size);
    if (typeof mapping === 'number') return checked(mapping, 'mmap', action, indexPath) as never;
    return new ImageTree(treeArrays(mapping.memory, counts), mapping, stat, new ContentFiles(contents), onMissing);
  } finally {
    close(fd);
  }
}

export type OnMissing = (contentId: Uint8Array) => boolean;

export class ImageTree implements LowerLayer {
  readonly root = 1;
  readonly immutable = true;
  readonly identity: string;
  /** The index itself; a node's position is its id less one. */
  arrays: TreeArrays;
  readonly #mapping: Mapping;
  readonly #files: ContentFiles;
  readonly #onMissing: OnMissing | undefined;
  #nodes: number;
  #blocks: number | undefined;

  constructor(arrays: TreeArrays, mapping: Mapping, stat: FileStat, files: ContentFiles, onMissing?: OnMissing) {
    this.arrays = arrays;
    this.identity = `tree:${stat.identity()}`;
    this.#mapping = mapping;
    this.#files = files;
    this.#onMissing = onMissing;
    this.#nodes = arrays.mode.length;
  }

  /** Number of nodes; ids are 1 to this. */
  get nodes(): number {
    return this.#nodes;
  }

  /** Blocks of 4096 bytes that all files together have. */
  get blocks(): number {
    return (this.#blocks ??= this.#countBlocks());
  }

  #countBlocks(): number {
    const { mode, size } = this.arrays;
    let blocks = 0;
    for (let index = 0; index < mode.length; index++) {
      if ((mode[index]! & FileType.mask) === FileType.file) blocks += Math.ceil(size[index]! / 4096);
    }
    return blocks;
  }

  get hasXattrs(): boolean {
    return this.arrays.xattrBytes.length > 0;
  }

  has(node: number): boolean {
    return node >= 1 && node <= this.#nodes;
  }

  lookup(directory: number, name: Name): number {
    if (!this.has(directory)) return -errno.ESTALE;
    const { arrays } = this;
    if ((arrays.mode[directory - 1]! & FileType.mask) !== FileType.directory) return -errno.ENOTDIR;
    let low = arrays.data[directory - 1]!;
    let high = low + arrays.size[directory - 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(name, arrays.entryName[middle]!, arrays.entryName[middle + 1]!);
      if (order === 0) return arrays.entryNode[middle]! + 1;
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return -errno.ENOENT;
  }

  #compare(name: Name, start: number, end: number): number {
    const { names } = this.arrays;
    const { bytes } = name;
    const length = name.end - name.start;
    const shared = Math.min(length, end - start);
    for (let at = 0; at < shared; at++) {
      const difference = bytes[name.start + at]! - names[start + at]!;
      if (difference !== 0) return difference;
    }
    return length - (end - start);
  }

  forget(): void {
    // Nodes are positions in the index: there is nothing to free.
  }

  getattr(node: number, out: Attributes): number {
    if (!this.has(node)) return -errno.ESTALE;
    const { arrays } = this;
    const index = node - 1;
    const mode = arrays.mode[index]!;
    const type = mode & FileType.mask;
    const size = type === FileType.directory ? directorySize : arrays.size[index]!;
    out.ino = node;
    out.size = size;
    out.blocks = type === FileType.symlink ? 0 : Math.ceil(size / 4096) * 8;
    out.atime = out.mtime = out.ctime = arrays.mtime[index]!;
    out.atimeNsec = out.mtimeNsec = out.ctimeNsec = arrays.mtimeNsec[index]!;
    out.mode = mode;
    out.nlink = arrays.nlink[index]!;
    out.uid = arrays.uid[index]!;
    out.gid = arrays.gid[index]!;
    out.rdev = type === FileType.character || type === FileType.block ? arrays.data[index]! : 0;
    out.blksize = 4096;
    return 0;
  }

  readdir(directory: number, visit: ListVisitor): number {
    if (!this.has(directory)) return -errno.ESTALE;
    const { arrays } = this;
    if ((arrays.mode[directory - 1]! & FileType.mask) !== FileType.directory) return -errno.ENOTDIR;
    const first = arrays.data[directory - 1]!;
    const last = first + arrays.size[directory - 1]!;
    for (let entry = first; entry < last; entry++) {
      const node = arrays.entryNode[entry]!;
      const name = arrays.names.slice(arrays.entryName[entry], arrays.entryName[entry + 1]);
      visit(Buffer.from(name.buffer), arrays.mode[node]! & FileType.mask, node + 1);
    }
    return 0;
  }

  readlink(node: number): Buffer | number {
    if (!this.has(node)) return -errno.ESTALE;
    const { arrays } = this;
    if ((arrays.mode[node - 1]! & FileType.mask) !== FileType.symlink) return -errno.EINVAL;
    const start = arrays.data[node - 1]!;
    return Buffer.from(arrays.targets.subarray(start, start + arrays.size[node - 1]!));
  }

  getxattr(node: number, name: Name): Buffer | number {
    const wanted = name.key();
    for (const [key, value] of this.#xattrs(node)) if (key.toString('latin1') === wanted) return Buffer.from(value);
    return -ENODATA;
  }

  listxattr(node: number): Buffer[] {
    return [...this.#xattrs(node)].map(([name]) => Buffer.from(name));
  }

  *#xattrs(node: number): Generator<[name: Buffer, value: Buffer]> {
    const start = this.has(node) ? this.arrays.xattrs[node - 1]! : 0;
    if (start === 0) return;
    const { xattrBytes } = this.arrays;
    const bytes = Buffer.from(xattrBytes.buffer, xattrBytes.byteOffset, xattrBytes.length);
    let at = start + 3;
    for (let left = bytes.readUInt32LE(start - 1); left > 0; left--) {
      const nameEnd = at + 8 + bytes.readUInt32LE(at);
      const end = nameEnd + bytes.readUInt32LE(at + 4);
      yield [bytes.subarray(at + 8, nameEnd), bytes.subarray(nameEnd, end)];
      at = end;
    }
  }

  open(node: number): number {
    const id = this.#id(node);
    if (typeof id === 'number') return id;
    return id ? this.#arrived(id, () => this.#files.open(id)) : openAt(AT_FDCWD, '/dev/null', O_RDONLY);
  }

  read(node: number, offset: number, out: ReadRoom, attempt: number): number {
    const id = this.#id(node);
    if (typeof id === 'number') return id;
    const size = this.arrays.size[node - 1]!;
    if (id === undefined || offset >= size) return 0;
    const fd = this.#files.get(this.arrays.data[node - 1]!, id);
    if (fd === -errno.ENOENT && this.#onMissing?.(id) === true) return NOT_YET;
    return fd < 0 ? -errno.EIO : replyFromFile(fd, size, offset, out, attempt);
  }

  /** Starts reading the first `length` bytes of a content (its number, not a node) into the page cache. */
  willNeed(content: number, length: number): void {
    const { contentIds } = this.arrays;
    const id = contentIds.subarray(content * contentIdSize, (content + 1) * contentIdSize);
    if (id.length < contentIdSize) return;
    const fd = this.#files.open(id);
    if (fd < 0) return;
    willNeed(fd, 0, length);
    close(fd);
  }

  /** The descriptor that `open` gives, once the content is there. */
  #arrived(id: Uint8Array, open: () => number): number {
    let fd = open();
    while (fd === -errno.ENOENT && this.#onMissing?.(id) === true) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitStep);
      fd = open();
    }
    return fd;
  }

  contentId(node: number): Buffer | undefined {
    const id = this.#id(node);
    return id === undefined || typeof id === 'number' ? undefined : Buffer.from(id);
  }

  /** The id of a file's content, undefined for an empty file, a negative errno for what is no file. */
  #id(node: number): Uint8Array | undefined | number {
    if (!this.has(node)) return -errno.ESTALE;
    const { arrays } = this;
    const type = arrays.mode[node - 1]! & FileType.mask;
    if (type !== FileType.file) return type === FileType.directory ? -errno.EISDIR : -errno.EINVAL;
    const content = arrays.data[node - 1]!;
    if (content === noContent) return undefined;
    return arrays.contentIds.subarray(content * contentIdSize, (content + 1) * contentIdSize);
  }

  /** A closed tree has no nodes. */
  close(): void {
    if (this.#nodes === 0) return;
    this.#nodes = 0;
    // Whoever still asks gets ESTALE, and does not touch memory that is gone.
    this.arrays = emptyTree;
    this.#files.close();
    this.#mapping.unmap();
  }
}

const none = { nodes: 0, entries: 0, contents: 0, nameBytes: 0, targetBytes: 0, xattrBytes: 0 };
const emptyTree = treeArrays(new ArrayBuffer(treeFileSize(none)), none);

/** Milliseconds between two looks for a content that is on its way. */
const waitStep = 5;

/** What a directory shows as its size. */
const directorySize = 4096;

/** The ids of all contents that a tree refers to, for a store that removes what nothing refers to. */
export function* imageTreeContents(tree: ImageTree): Generator<Buffer> {
  const { contentIds } = tree.arrays;
  for (let at = 0; at < contentIds.length; at += contentIdSize) {
    yield Buffer.from(contentIds.subarray(at, at + contentIdSize));
  }
}
