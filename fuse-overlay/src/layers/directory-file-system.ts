/**
 * A live directory as a read-only file system. What the kernel caches is good for a second; contents are dropped from the page
 * cache when a file's size or time of change says so (AUTO_INVAL_DATA). Open files and directories are descriptors of ours.
 *
 * Node numbers and handles of a dead server mean nothing to its successor: files that were open give ESTALE then, everything
 * else is found again by name.
 */
import { FOPEN_KEEP_CACHE } from '../protocol/flags.ts';
import type { Entry } from '../server/attributes.ts';
import type {
  Bytes,
  DirectoryReply,
  FileSystem,
  Opened,
  Request,
  SessionOptions,
  StatFs,
} from '../server/file-system.ts';
import { Name } from '../server/name.ts';
import type { DirectoryEntry } from '../sys/directory.ts';
import { errno } from '../sys/errors.ts';
import { close } from '../sys/files.ts';
import { O_ACCMODE, O_RDONLY } from '../sys/open-flags.ts';
import { DirectoryLayer } from './directory-layer.ts';
import { firstNumber } from './directory-nodes.ts';
import { readSoon } from './read-soon.ts';

export interface DirectoryOptions {
  /** Seconds for which the kernel may trust names and attributes. Default 1. */
  readonly timeout?: number;
  /** Every file is presented as owned by these ids. Default: the host's ids. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

interface OpenDirectory {
  entries: DirectoryEntry[];
}

export class DirectoryFileSystem implements FileSystem {
  readonly session: SessionOptions = { features: ['AUTO_INVAL_DATA', 'CACHE_SYMLINKS', 'ASYNC_DIO'] };
  readonly layer: DirectoryLayer;
  readonly #timeout: number;
  readonly #owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly #files = new Map<number, number>();
  readonly #directories = new Map<number, OpenDirectory>();
  #nextHandle = firstNumber();

  /** Serves the directory at `path`. Throws a system error. */
  constructor(path: string, options: DirectoryOptions = {}) {
    this.layer = new DirectoryLayer(path);
    this.#timeout = options.timeout ?? 1;
    this.#owner = options.owner;
  }

  lookup(_request: Request, parent: number, name: Name, entry: Entry): number {
    const node = this.layer.lookupWith(parent, name, entry.attributes);
    if (node > 0) return this.#finish(node, entry);
    if (node !== -errno.ENOENT) return node;
    entry.nodeId = 0;
    entry.entryTimeout = this.#timeout;
    return 0;
  }

  forget(nodeId: number, count: number): void {
    this.layer.forget(nodeId, count);
  }

  getattr(_request: Request, nodeId: number, _handle: number, entry: Entry): number {
    const result = this.layer.getattr(nodeId, entry.attributes);
    return result < 0 ? result : this.#finish(nodeId, entry);
  }

  #finish(node: number, entry: Entry): number {
    entry.nodeId = node;
    entry.generation = 0;
    entry.entryTimeout = this.#timeout;
    entry.attrTimeout = this.#timeout;
    if (this.#owner) {
      entry.attributes.uid = this.#owner.uid;
      entry.attributes.gid = this.#owner.gid;
    }
    return 0;
  }

  readlink(_request: Request, nodeId: number, out: Bytes): number {
    const target = this.layer.readlink(nodeId);
    if (typeof target === 'number') return target;
    return target.copy(out.buffer, out.start, 0, out.length);
  }

  open(_request: Request, nodeId: number, flags: number, opened: Opened): number {
    if ((flags & O_ACCMODE) !== O_RDONLY) return -errno.EROFS;
    const fd = this.layer.open(nodeId);
    if (fd < 0) return fd;
    opened.handle = this.#nextHandle++;
    opened.flags = FOPEN_KEEP_CACHE;
    this.#files.set(opened.handle, fd);
    return 0;
  }

  read(request: Request, _nodeId: number, handle: number, offset: number, out: Bytes): number {
    const fd = this.#files.get(handle);
    if (fd === undefined) return -errno.ESTALE;
    return readSoon(fd, out.address, out.length, offset, request.attempt);
  }

  release(_request: Request, _nodeId: number, handle: number): number {
    const fd = this.#files.get(handle);
    if (fd === undefined) return 0;
    this.#files.delete(handle);
    return close(fd);
  }

  opendir(_request: Request, nodeId: number, _flags: number, opened: Opened): number {
    const entries = this.layer.list(nodeId);
    if (typeof entries === 'number') return entries;
    opened.handle = this.#nextHandle++;
    this.#directories.set(opened.handle, { entries });
    return 0;
  }

  /** Offsets are positions in the names that were there at OPENDIR or at the last rewind. */
  readdir(request: Request, nodeId: number, handle: number, offset: number, out: DirectoryReply): number {
    const open = this.#directories.get(handle);
    if (open === undefined) return -errno.ESTALE;
    if (offset === 0) {
      const entries = this.layer.list(nodeId);
      if (typeof entries === 'number') return entries;
      open.entries = entries;
    }
    for (let index = offset; index < open.entries.length; index++) {
      const { name, type, ino } = open.entries[index]!;
      const isNode = out.plus && this.lookup(request, nodeId, new Name(name), out.entry) === 0 && out.entry.nodeId > 0;
      if (!isNode) {
        out.entry.nodeId = 0;
        out.entry.attributes.ino = ino;
        out.entry.attributes.mode = type;
      }
      if (!out.add(name, 0, name.length, index + 1)) {
        if (isNode) this.layer.forget(out.entry.nodeId, 1);
        return 0;
      }
    }
    return 0;
  }

  releasedir(_request: Request, _nodeId: number, handle: number): number {
    this.#directories.delete(handle);
    return 0;
  }

  getxattr(_request: Request, nodeId: number, name: Name, out: Bytes): number {
    return put(this.layer.getxattr(nodeId, name), out);
  }

  listxattr(_request: Request, nodeId: number, out: Bytes): number {
    const names = this.layer.listxattr(nodeId);
    if (typeof names === 'number') return names;
    return put(Buffer.concat(names.flatMap((name) => [name, Buffer.alloc(1)])), out);
  }

  statfs(_request: Request, _nodeId: number, out: StatFs): number {
    return this.layer.statfs(out);
  }

  destroy(): void {
    for (const fd of this.#files.values()) close(fd);
    this.#files.clear();
    this.layer.close();
  }
}

function put(value: Buffer | number, out: Bytes): number {
  if (typeof value === 'number') return value;
  if (value.length <= out.length) value.copy(out.buffer, out.start);
  return value.length;
}
