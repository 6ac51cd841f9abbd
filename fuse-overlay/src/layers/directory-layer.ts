/**
 * A live directory as a layer: read with calls relative to descriptors, never through a symbolic link, so that nothing in it
 * leads out of it; only regular files are ever opened, so that no fifo blocks and no device acts.
 *
 * Files of other file systems that are mounted below the directory belong to it. The ids of owners are the host's.
 */
import { FileType, type Attributes } from '../server/attributes.ts';
import type { ReadRoom, StatFs } from '../server/file-system.ts';
import type { Name } from '../server/name.ts';
import { readDirectory, type DirectoryEntry } from '../sys/directory.ts';
import { ENODATA, checked, errno } from '../sys/errors.ts';
import { close, openAt, readlinkAt } from '../sys/files.ts';
import { AT_FDCWD, O_DIRECTORY, O_PATH, O_RDONLY } from '../sys/open-flags.ts';
import { FileStat, statFd, statfsFd } from '../sys/stat.ts';
import { getXattr, listXattrs } from '../sys/xattr.ts';
import { DirectoryNodes, rootNode } from './directory-nodes.ts';
import { FdCache } from './fd-cache.ts';
import type { ListVisitor, LowerLayer } from './lower-layer.ts';
import { readSoon } from './read-soon.ts';

/** Contents kept open for `read`. */
const keptOpen = 64;

export class DirectoryLayer implements LowerLayer {
  readonly root: number = rootNode;
  readonly immutable = false;
  readonly identity: string;
  readonly #nodes: DirectoryNodes;
  readonly #files = new FdCache(keptOpen);
  readonly #stat = new FileStat();
  readonly #device: number;

  /** `path` may be a link to a directory: it is where the layer begins. Throws a system error. */
  constructor(path: string) {
    const action = `open directory ${path}`;
    const fd = checked(openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY), 'openat', action, path);
    checked(statFd(fd, this.#stat), 'statx', action, path);
    this.identity = `directory:${this.#stat.identity()}`;
    this.#device = this.#stat.dev;
    this.#nodes = new DirectoryNodes(fd, this.#stat);
  }

  lookup(directory: number, name: Name): number {
    return this.#nodes.lookup(directory, name, this.#stat);
  }

  /** `lookup` and `getattr` at once. */
  lookupWith(directory: number, name: Name, out: Attributes): number {
    const node = this.#nodes.lookup(directory, name, this.#stat);
    if (node > 0) copyAttributes(this.#stat, out, this.#device);
    return node;
  }

  forget(node: number, count: number): void {
    this.#nodes.forget(node, count);
    if (this.#nodes.type(node) < 0) this.#files.delete(node);
  }

  getattr(node: number, out: Attributes): number {
    const result = this.#nodes.stat(node, this.#stat);
    if (result === 0) copyAttributes(this.#stat, out, this.#device);
    return result;
  }

  readdir(directory: number, visit: ListVisitor): number {
    const entries = this.list(directory);
    if (typeof entries === 'number') return entries;
    for (const { name, type, ino } of entries) visit(name, type, ino);
    return 0;
  }

  /** The names of a directory at this moment, or a negative errno. A `type` of 0: the host's file system does not say. */
  list(directory: number): DirectoryEntry[] | number {
    return this.#nodes.withPath(directory, (path) => {
      const fd = openAt(path, '.', O_RDONLY | O_DIRECTORY);
      if (fd < 0) return fd;
      const entries = readDirectory(fd);
      close(fd);
      return entries;
    });
  }

  readlink(node: number): Buffer | number {
    const type = this.#nodes.type(node);
    if (type < 0) return type;
    if (type !== FileType.symlink) return -errno.EINVAL;
    return this.#nodes.withPath(node, (fd) => readlinkAt(fd, ''));
  }

  getxattr(node: number, name: Name): Buffer | number {
    if (isOverlayXattr(name.key())) return -ENODATA;
    return this.#nodes.withPath(node, (fd) => getXattr(fd, name));
  }

  listxattr(node: number): Buffer[] | number {
    const names = this.#nodes.withPath(node, (fd) => listXattrs(fd));
    if (typeof names === 'number') return names;
    return names.filter((name) => !isOverlayXattr(name.toString('latin1')));
  }

  /** Whether overlayfs or fuse-overlayfs marked the directory: it hides what the layers below have in its place. */
  isOpaque(node: number): boolean {
    return opaqueXattrs.some((name) => {
      const value = this.#nodes.withPath(node, (fd) => getXattr(fd, name));
      return typeof value !== 'number' && value.length === 1 && value[0] === opaqueValue;
    });
  }

  /** Whether the file stands for a name that is gone: an empty file marked so, as overlayfs has it beside the device 0:0. */
  isMarkedWhiteout(node: number): boolean {
    return whiteoutXattrs.some((name) => {
      const value = this.#nodes.withPath(node, (fd) => getXattr(fd, name));
      return typeof value !== 'number';
    });
  }

  open(node: number): number {
    const type = this.#nodes.type(node);
    if (type < 0) return type;
    if (type !== FileType.file) return type === FileType.directory ? -errno.EISDIR : -errno.EINVAL;
    // By way of an O_PATH descriptor: nothing is opened for real before it is known to be that regular file.
    return this.#nodes.withPath(node, (path) => openAt(AT_FDCWD, `/proc/self/fd/${path}`, O_RDONLY));
  }

  read(node: number, offset: number, out: ReadRoom, attempt: number): number {
    let fd = this.#files.get(node);
    if (fd < 0) {
      fd = this.open(node);
      if (fd < 0) return fd;
      this.#files.set(node, fd);
    }
    return readSoon(fd, out.address, out.length, offset, attempt);
  }

  contentId(): undefined {
    return undefined;
  }

  statfs(out: StatFs): number {
    return this.#nodes.withPath(rootNode, (path) => statfsFd(path, out));
  }

  close(): void {
    this.#files.close();
    this.#nodes.close();
  }
}

const opaqueXattrs = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];
/** Linux 6.7, Documentation/filesystems/overlayfs.rst, "Nested overlayfs mounts". */
const whiteoutXattrs = ['trusted.overlay.whiteout', 'user.overlay.whiteout'];
/** `y` */
const opaqueValue = 0x79;

const overlayPrefixes = ['user.overlay.', 'trusted.overlay.', 'user.fuseoverlayfs.'];

/** overlayfs' own attributes would act on an overlay that has the layer as its lower directory. */
function isOverlayXattr(name: string): boolean {
  return overlayPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Numbers of files on other devices than the root's lie above these many. */
const otherDevices = 2 ** 34;

function copyAttributes(from: FileStat, to: Attributes, rootDevice: number): void {
  // Two file systems have the same numbers: a hash of the device keeps them apart, and below 2^52.
  const device = from.dev === rootDevice ? 0 : 1 + (Math.imul(from.dev, 0x9e3779b1) >>> 15);
  to.ino = device === 0 ? from.ino : (from.ino % otherDevices) + device * otherDevices;
  to.size = from.size;
  to.blocks = from.blocks;
  to.atime = from.atime;
  to.atimeNsec = from.atimeNsec;
  to.mtime = from.mtime;
  to.mtimeNsec = from.mtimeNsec;
  to.ctime = from.ctime;
  to.ctimeNsec = from.ctimeNsec;
  to.mode = from.mode;
  to.nlink = from.nlink;
  to.uid = from.uid;
  to.gid = from.gid;
  to.rdev = from.rdev;
  to.blksize = from.blksize;
}
