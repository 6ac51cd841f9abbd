/**
 * The nodes of a live directory tree: which file each is (device and inode), and the directory and name under which it was
 * last seen. A node is reached by opening names one by one from the root's descriptor, never following a link, and then
 * compared with what it should be: whatever happens to the tree meanwhile, a node is the file it was or gives ESTALE.
 *
 * Node numbers start at the time at which the process did, so that those of an earlier process (a dead server, whose requests
 * this one has to answer) mean nothing here rather than something else.
 */
import { FileType } from '../server/attributes.ts';
import { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import { close, openAt } from '../sys/files.ts';
import { O_NOFOLLOW, O_PATH } from '../sys/open-flags.ts';
import { FileStat, statAt, statFd } from '../sys/stat.ts';
import { FdCache } from './fd-cache.ts';

export const rootNode = 1;

/** Number for the first node or handle of this process. */
export function firstNumber(): number {
  return (Date.now() - Date.UTC(2020, 0)) * 1000;
}

interface DirectoryNode {
  readonly id: number;
  readonly identity: string;
  readonly type: number;
  parent: DirectoryNode | undefined;
  name: Buffer;
  /** What `lookup` has counted and `forget` not. */
  references: number;
  /** Nodes whose `parent` this is. */
  children: number;
}

const keptOpen = 256;

export class DirectoryNodes {
  #rootFd: number;
  readonly #byId = new Map<number, DirectoryNode>();
  readonly #byIdentity = new Map<string, DirectoryNode>();
  readonly #directories = new FdCache(keptOpen);
  readonly #stat = new FileStat();
  #next = firstNumber();

  /** `rootFd`: an O_PATH descriptor, which is closed by `close`. */
  constructor(rootFd: number, root: FileStat) {
    this.#rootFd = rootFd;
    const node = newNode(rootNode, root.identity(), FileType.directory);
    node.references = 1;
    this.#byId.set(rootNode, node);
    this.#byIdentity.set(node.identity, node);
  }

  /** Number of nodes known. */
  get size(): number {
    return this.#byId.size;
  }

  /** The node of a name, with one more reference and its attributes in `out`; or a negative errno. */
  lookup(directory: number, name: Name, out: FileStat): number {
    const parent = this.#byId.get(directory);
    if (parent === undefined) return -errno.ESTALE;
    if (parent.type !== FileType.directory) return -errno.ENOTDIR;
    const fd = this.#directoryFd(parent);
    if (fd < 0) return fd;
    const result = statAt(fd, name, out);
    if (result < 0) return result;

    const identity = out.identity();
    let node = this.#byIdentity.get(identity);
    if (node === undefined) {
      node = newNode(this.#next++, identity, out.mode & FileType.mask);
      this.#byId.set(node.id, node);
      this.#byIdentity.set(identity, node);
    }
    if (node.id !== rootNode) this.#place(node, parent, name);
    node.references++;
    return node.id;
  }

  forget(id: number, count: number): void {
    const node = this.#byId.get(id);
    if (node === undefined || id === rootNode) return;
    node.references = Math.max(node.references - count, 0);
    this.#release(node);
  }

  /** File type bits, or a negative errno. */
  type(id: number): number {
    return this.#byId.get(id)?.type ?? -errno.ESTALE;
  }

  stat(id: number, out: FileStat): number {
    const node = this.#byId.get(id);
    if (node === undefined) return -errno.ESTALE;
    if (node.type === FileType.directory) {
      const fd = this.#directoryFd(node);
      return fd < 0 ? fd : statFd(fd, out);
    }
    const parentFd = this.#directoryFd(node.parent!);
    if (parentFd < 0) return parentFd;
    const result = statAt(parentFd, new Name(node.name), out);
    if (result < 0) return result === -errno.ENOENT ? -errno.ESTALE : result;
    return out.identity() === node.identity ? 0 : -errno.ESTALE;
  }

  /** Calls `use` with an O_PATH descriptor of the node, which is not to be kept; its result, or a negative errno. */
  withPath<T>(id: number, use: (fd: number) => T): T | number {
    const node = this.#byId.get(id);
    if (node === undefined) return -errno.ESTALE;
    if (node.type === FileType.directory) {
      const fd = this.#directoryFd(node);
      return fd < 0 ? fd : use(fd);
    }
    const fd = this.#openPath(node);
    if (fd < 0) return fd;
    try {
      return use(fd);
    } finally {
      close(fd);
    }
  }

  close(): void {
    this.#directories.close();
    if (this.#rootFd >= 0) close(this.#rootFd);
    this.#rootFd = -1;
  }

  /** A descriptor of a directory that stays ours. */
  #directoryFd(node: DirectoryNode): number {
    if (node.id === rootNode) return this.#rootFd;
    const kept = this.#directories.get(node.id);
    if (kept >= 0) return kept;
    const fd = this.#openPath(node);
    if (fd >= 0) this.#directories.set(node.id, fd);
    return fd;
  }

  #openPath(node: DirectoryNode): number {
    const parentFd = this.#directoryFd(node.parent!);
    if (parentFd < 0) return parentFd;
    const fd = openAt(parentFd, node.name, O_PATH | O_NOFOLLOW);
    if (fd < 0) return fd === -errno.ENOENT ? -errno.ESTALE : fd;
    const result = statFd(fd, this.#stat);
    if (result === 0 && this.#stat.identity() === node.identity) return fd;
    close(fd);
    return result < 0 ? result : -errno.ESTALE;
  }

  #place(node: DirectoryNode, parent: DirectoryNode, name: Name): void {
    if (node.parent !== parent) {
      parent.children++;
      const former = node.parent;
      node.parent = parent;
      if (former) {
        former.children--;
        this.#release(former);
      }
    }
    if (!sameName(node.name, name)) node.name = name.toBuffer();
  }

  /** Drops a node that nobody needs, and then its parents. */
  #release(start: DirectoryNode): void {
    let node: DirectoryNode | undefined = start;
    while (node && node.id !== rootNode && node.references === 0 && node.children === 0) {
      this.#byId.delete(node.id);
      this.#byIdentity.delete(node.identity);
      this.#directories.delete(node.id);
      node = node.parent;
      if (node) node.children--;
    }
  }
}

function newNode(id: number, identity: string, type: number): DirectoryNode {
  return { id, identity, type, parent: undefined, name: Buffer.alloc(0), references: 0, children: 0 };
}

function sameName(known: Buffer, name: Name): boolean {
  if (known.length !== name.length) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== name.bytes[name.start + at]) return false;
  return true;
}
