/**
 * An image tree as a read-only file system, answered from memory.
 *
 * There are no open files (OPEN, OPENDIR, FLUSH are unknown to it, so the kernel stops asking), node ids are positions in
 * the index, and nothing ever changes: every answer may be cached for ever, and another process can take over at any
 * request, with no state handed on.
 */
import { FileType, type Entry } from '../server/attributes.ts';
import {
  type Bytes,
  type DirectoryReply,
  type FileSystem,
  type ReadRoom,
  type Request,
  type SessionOptions,
  type StatFs,
} from '../server/file-system.ts';
import type { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import { close } from '../sys/files.ts';
import { seek } from '../sys/io.ts';
import { contentPath } from './content-store.ts';
import type { ImageTree } from './image-tree.ts';
import { ReadOrder } from './read-order.ts';

/** A year: nothing changes. */
const forever = 365 * 24 * 3600;

const metacopy = 'user.overlay.metacopy';
const redirect = 'user.overlay.redirect';
const dots = Buffer.from('..');

export interface ImageTreeOptions {
  /** Every file is presented as owned by these ids: for a user namespace that maps a single id. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * Files of at least this many bytes lead an overlay above to their contents in the store, so that it reads those itself and
   * asks us nothing (overlayfs' data-only lower layers, see README). Default: none.
   */
  readonly directFrom?: number;
  /** A file that remembers which contents are read first, so that they are read ahead after the next mount. Default: none. */
  readonly orderFile?: string;
}

export class ImageTreeFileSystem implements FileSystem {
  readonly session: SessionOptions = { features: ['CACHE_SYMLINKS', 'ASYNC_DIO'] };
  readonly tree: ImageTree;
  readonly #order: ReadOrder | undefined;
  readonly #owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Absent where no file has any: after one ENOSYS the kernel asks no more. */
  getxattr?: NonNullable<FileSystem['getxattr']>;

  constructor(tree: ImageTree, options: ImageTreeOptions = {}) {
    this.tree = tree;
    if (options.orderFile !== undefined) this.#order = new ReadOrder(options.orderFile, tree);
    this.#owner = options.owner;
    const { directFrom } = options;
    if (directFrom !== undefined) {
      this.getxattr = (_request, nodeId, name, out) => {
        const direct = this.#direct(nodeId, name.key(), directFrom);
        return fits(direct ?? this.tree.getxattr(nodeId, name), out);
      };
    } else if (tree.hasXattrs) {
      this.getxattr = (_request, nodeId, name, out) => fits(this.tree.getxattr(nodeId, name), out);
    }
  }

  /**
   * What overlayfs asks of a file whose contents lie elsewhere ("Data-only lower layers" in the kernel's overlayfs.rst): an empty
   * `metacopy`, and as `redirect` the path from the root of the layer that has the contents.
   */
  #direct(node: number, key: string, from: number): Buffer | undefined {
    if (key !== metacopy && key !== redirect) return undefined;
    if (!this.tree.has(node) || this.tree.arrays.size[node - 1]! < from) return undefined;
    const id = this.tree.contentId(node);
    if (id === undefined) return undefined;
    return key === metacopy ? Buffer.alloc(0) : Buffer.from(`/${contentPath(id)}`);
  }

  lookup(_request: Request, parent: number, name: Name, entry: Entry): number {
    const node = this.tree.lookup(parent, name);
    if (node > 0) return this.#describe(node, entry);
    if (node !== -errno.ENOENT) return node;
    entry.nodeId = 0;
    entry.entryTimeout = forever;
    return 0;
  }

  getattr(_request: Request, nodeId: number, _handle: number, entry: Entry): number {
    return this.#describe(nodeId, entry);
  }

  #describe(node: number, entry: Entry): number {
    const result = this.tree.getattr(node, entry.attributes);
    if (result < 0) return result;
    entry.nodeId = node;
    entry.generation = 0;
    entry.entryTimeout = forever;
    entry.attrTimeout = forever;
    if (this.#owner) {
      entry.attributes.uid = this.#owner.uid;
      entry.attributes.gid = this.#owner.gid;
    }
    return 0;
  }

  /** Offsets: 1 after `.`, 2 after `..`, then 3 and so on in the order of the index. */
  readdir(_request: Request, nodeId: number, _handle: number, offset: number, out: DirectoryReply): number {
    const { tree } = this;
    if (!tree.has(nodeId)) return -errno.ESTALE;
    const { arrays } = tree;
    if ((arrays.mode[nodeId - 1]! & FileType.mask) !== FileType.directory) return -errno.ENOTDIR;
    for (let dot = offset; dot < 2; dot++) {
      out.entry.nodeId = 0;
      out.entry.attributes.ino = dot === 0 ? nodeId : arrays.parent[nodeId - 1]! + 1;
      out.entry.attributes.mode = FileType.directory;
      if (!out.add(dots, 0, dot + 1, dot + 1)) return 0;
    }
    const first = arrays.data[nodeId - 1]!;
    const last = first + arrays.size[nodeId - 1]!;
    for (let entry = first + Math.max(offset - 2, 0); entry < last; entry++) {
      const node = arrays.entryNode[entry]! + 1;
      if (out.plus) this.#describe(node, out.entry);
      else {
        out.entry.attributes.ino = node;
        out.entry.attributes.mode = arrays.mode[node - 1]!;
      }
      if (!out.add(arrays.names, arrays.entryName[entry]!, arrays.entryName[entry + 1]!, entry - first + 3)) return 0;
    }
    return 0;
  }

  readlink(_request: Request, nodeId: number, out: Bytes): number {
    return fits(this.tree.readlink(nodeId), out);
  }

  read(request: Request, nodeId: number, _handle: number, offset: number, out: ReadRoom): number {
    const length = this.tree.read(nodeId, offset, out, request.attempt);
    if (this.#order && length > 0) this.#order.note(this.tree.arrays.data[nodeId - 1]!, offset + length);
    return length;
  }

  background(): boolean {
    return this.#order?.prefetch() ?? false;
  }

  destroy(): void {
    this.#order?.save();
  }

  listxattr(_request: Request, nodeId: number, out: Bytes): number {
    return fits(Buffer.concat(this.tree.listxattr(nodeId).flatMap((name) => [name, nul])), out);
  }

  /** Where the holes are: an overlay asks before it copies a file up. */
  lseek(_request: Request, nodeId: number, _handle: number, offset: number, whence: number): number {
    const fd = this.tree.open(nodeId);
    if (fd < 0) return fd;
    const result = seek(fd, offset, whence);
    close(fd);
    return result;
  }

  statfs(_request: Request, _nodeId: number, out: StatFs): number {
    out.blocks = this.tree.blocks;
    out.bfree = out.bavail = 0;
    out.files = this.tree.nodes;
    out.ffree = 0;
    out.bsize = out.frsize = 4096;
    out.namelen = 255;
    return 0;
  }
}

const nul = Buffer.alloc(1);

/** Copies a value into the room if it fits; its length either way. */
function fits(value: Buffer | number, out: Bytes): number {
  if (typeof value === 'number') return value;
  if (value.length <= out.length) value.copy(out.buffer, out.start);
  return value.length;
}
