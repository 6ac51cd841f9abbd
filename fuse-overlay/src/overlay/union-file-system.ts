import type { Entry } from '../server/attributes.ts';
import { FileType } from '../server/attributes.ts';
import type {
  AttributeChange,
  Bytes,
  DirectoryReply,
  FileSystem,
  Opened,
  ReadRoom,
  Request,
  SessionOptions,
  StatFs,
} from '../server/file-system.ts';
import type { Name } from '../server/name.ts';
import type { Notifier } from '../server/notifier.ts';
import { layerEntries, type LayerExport } from './export-layer.ts';
import { listChanges, type UnionChange } from './changes.ts';
import { read, write } from './operations/contents.ts';
import { create } from './operations/create.ts';
import { link } from './operations/link.ts';
import { forget, lookup } from './operations/lookup.ts';
import { DirectoryListings } from './directory-listings.ts';
import { readdir } from './operations/readdir.ts';
import { rmdir, unlink } from './operations/remove.ts';
import { rename } from './operations/rename.ts';
import { setattr } from './operations/setattr.ts';
import { copyFileRange, fallocate, lseek, statfs } from './operations/space.ts';
import { getxattr, listxattr, removexattr, setxattr } from './operations/xattr.ts';
import type { Union } from './union.ts';
import type { QuotaLimits } from './upper/quota.ts';

/**
 * A writable union: a lower layer, and above it an upper one in a folder of the serving user. Made by `openUnion`.
 *
 * It has no handles: without OPEN, OPENDIR, FLUSH and CREATE every request names an inode, and inode numbers mean the same in
 * every server. So a successor of a killed server needs nothing but the folder and the /dev/fuse descriptor, files that are
 * open in programs included; and the kernel is spared two requests for each file.
 */
export class UnionFileSystem implements FileSystem {
  readonly session: SessionOptions;
  readonly #union: Union;
  readonly #listings: DirectoryListings;

  /** @internal */
  constructor(union: Union) {
    this.#union = union;
    this.#listings = new DirectoryListings(union);
    this.session = {
      features: [
        'ASYNC_READ',
        'BIG_WRITES',
        'CACHE_SYMLINKS',
        'DONT_MASK',
        'DO_READDIRPLUS',
        'HANDLE_KILLPRIV_V2',
        'MAX_PAGES',
        'NO_OPENDIR_SUPPORT',
        'NO_OPEN_SUPPORT',
        'PARALLEL_DIROPS',
        'POSIX_ACL',
        'SETXATTR_EXT',
        ...(union.writeback ? ['WRITEBACK_CACHE'] : []),
      ],
    };
  }

  /** What differs from the lower layer, each path (bytes, without a leading `/`) once, parents first. */
  changes(): Iterable<UnionChange> {
    return listChanges(this.#union, this.#listings);
  }

  /** What has to be laid over the lower layer to get the same tree, as the entries of an OCI layer. */
  exportLayer(): Iterable<LayerExport> {
    return layerEntries(this.#union, this.#listings);
  }

  /** Sets the limits anew, also while the union is mounted. */
  setQuota(limits: QuotaLimits): void {
    this.#union.store.quota.limit(limits);
  }

  /** Writes down what only memory knows and closes everything, the lower layer included. */
  close(): void {
    // First what others wait for who unmount the lower directories next.
    this.#union.lower.close();
    this.#union.store.close();
  }

  init(_features: ReadonlySet<string>, notify: Notifier): void {
    this.#union.notify = notify;
  }

  lookup(_request: Request, parent: number, name: Name, entry: Entry): number {
    return lookup(this.#union, parent, name, entry);
  }

  forget(ino: number, count: number): void {
    forget(this.#union, ino, count);
  }

  getattr(_request: Request, ino: number, _handle: number, entry: Entry): number {
    entry.attrTimeout = this.#union.timeout(ino);
    return this.#union.getattr(ino, entry.attributes);
  }

  setattr(_request: Request, ino: number, change: AttributeChange, entry: Entry): number {
    return setattr(this.#union, ino, change, entry);
  }

  readlink(_request: Request, ino: number, out: Bytes): number {
    const target = this.#union.readlink(ino);
    if (typeof target === 'number') return target;
    return target.copy(out.buffer, out.start, 0, Math.min(target.length, out.length));
  }

  symlink(request: Request, parent: number, name: Name, target: Buffer, entry: Entry): number {
    const birth = { mode: FileType.symlink | 0o777, umask: 0, rdev: 0, target };
    return create(this.#union, request, parent, name, birth, entry);
  }

  mknod(request: Request, parent: number, name: Name, mode: number, rdev: number, umask: number, entry: Entry): number {
    return create(this.#union, request, parent, name, { mode, umask, rdev }, entry);
  }

  mkdir(request: Request, parent: number, name: Name, mode: number, umask: number, entry: Entry): number {
    const birth = { mode: (mode & ~FileType.mask) | FileType.directory, umask, rdev: 0 };
    return create(this.#union, request, parent, name, birth, entry);
  }

  unlink(request: Request, parent: number, name: Name): number {
    return unlink(this.#union, request, parent, name);
  }

  rmdir(request: Request, parent: number, name: Name): number {
    return rmdir(this.#union, request, this.#listings, parent, name);
  }

  rename(request: Request, parent: number, name: Name, newParent: number, newName: Name, flags: number): number {
    return rename(this.#union, this.#listings, request, parent, name, newParent, newName, flags);
  }

  link(request: Request, ino: number, newParent: number, newName: Name, entry: Entry): number {
    return link(this.#union, request, ino, newParent, newName, entry);
  }

  read(request: Request, ino: number, _handle: number, offset: number, out: ReadRoom): number {
    return read(this.#union, request, ino, offset, out);
  }

  write(_request: Request, ino: number, _handle: number, offset: number, data: Bytes, flags: number): number {
    return write(this.#union, ino, offset, data, flags);
  }

  fsync(_request: Request, ino: number, _handle: number, dataOnly: boolean): number {
    return this.#union.store.sync(this.#union.store.get(ino), dataOnly);
  }

  readdir(_request: Request, ino: number, _handle: number, offset: number, out: DirectoryReply): number {
    return readdir(this.#union, this.#listings, ino, offset, out);
  }

  fsyncdir(): number {
    return this.#union.store.sync(undefined, false);
  }

  statfs(_request: Request, _ino: number, out: StatFs): number {
    return statfs(this.#union, out);
  }

  syncfs(): number {
    return this.#union.store.syncAll();
  }

  setxattr(request: Request, ino: number, name: Name, value: Buffer, flags: number, killSgid: boolean): number {
    return setxattr(this.#union, request, ino, name, value, flags, killSgid);
  }

  getxattr(_request: Request, ino: number, name: Name, out: Bytes): number {
    return getxattr(this.#union, ino, name, out);
  }

  listxattr(_request: Request, ino: number, out: Bytes): number {
    return listxattr(this.#union, ino, out);
  }

  removexattr(request: Request, ino: number, name: Name): number {
    return removexattr(this.#union, request, ino, name);
  }

  /** O_TMPFILE: an inode without a name; it has no handle either. */
  tmpfile(
    request: Request,
    parent: number,
    mode: number,
    umask: number,
    _flags: number,
    entry: Entry,
    opened: Opened,
  ): number {
    opened.handle = 0;
    opened.flags = 0;
    const birth = { mode: (mode & ~FileType.mask) | FileType.file, umask, rdev: 0 };
    return create(this.#union, request, parent, undefined, birth, entry);
  }

  /** Only O_TMPFILE files are released: the kernel has a handle for them, we have none. */
  release(): number {
    return 0;
  }

  fallocate(_request: Request, ino: number, _handle: number, offset: number, length: number, mode: number): number {
    return fallocate(this.#union, ino, offset, length, mode);
  }

  lseek(_request: Request, ino: number, _handle: number, offset: number, whence: number): number {
    return lseek(this.#union, ino, offset, whence);
  }

  copyFileRange(
    _request: Request,
    ino: number,
    _handle: number,
    offset: number,
    toIno: number,
    _toHandle: number,
    toOffset: number,
    length: number,
  ): number {
    return copyFileRange(this.#union, ino, offset, toIno, toOffset, length);
  }
}
