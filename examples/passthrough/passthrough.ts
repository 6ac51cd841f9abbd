/**
 * A folder shown as it is, for reading and writing: each node is a path below it, each request a call of node:fs.
 *
 * Meant to be read, and as the plainest thing to compare another file system with; `DirectoryFileSystem` of the library is the one
 * that keeps a hostile folder in its place (this one follows renames made behind its back nowhere).
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import {
  FileType,
  ROOT_NODE,
  flags,
  makeDevice,
  type AttributeChange,
  type Attributes,
  type Bytes,
  type DirectoryReply,
  type Entry,
  type FileSystem,
  type Name,
  type Opened,
  type Request,
  type StatFs,
} from 'fuse-overlay';

const { ENOENT, EOPNOTSUPP, EEXIST, EINVAL } = { ENOENT: 2, EOPNOTSUPP: 95, EEXIST: 17, EINVAL: 22 };
const RENAME_NOREPLACE = 1;
/** Of open(2), what is left of it for an open that FUSE makes. */
const O_ACCMODE = 3;
const nanosecond = 1_000_000_000n;
const slash = Buffer.from('/');
const dots = [Buffer.from('.'), Buffer.from('..')];

interface Node {
  readonly id: number;
  /** Device and inode. */
  readonly file: string;
  /** Relative to the folder; empty for the root. */
  path: Buffer;
  references: number;
}

export class PassthroughFileSystem implements FileSystem {
  readonly #root: Buffer;
  readonly #byId = new Map<number, Node>();
  /** By device and inode: hard links are one node. */
  readonly #byFile = new Map<string, Node>();
  #next = ROOT_NODE + 1;

  constructor(root: string) {
    this.#root = Buffer.from(root);
    this.#byId.set(ROOT_NODE, { id: ROOT_NODE, file: '', path: Buffer.alloc(0), references: 1 });
  }

  lookup(_request: Request, parent: number, name: Name, entry: Entry): number {
    return this.#enter(this.#child(parent, name), entry);
  }

  forget(id: number, count: number): void {
    const node = this.#byId.get(id);
    if (!node || id === ROOT_NODE || (node.references -= count) > 0) return;
    this.#byId.delete(id);
    this.#byFile.delete(node.file);
  }

  getattr(_request: Request, id: number, _handle: number, entry: Entry): number {
    entry.attrTimeout = 0;
    fill(lstatSync(this.#path(id), { bigint: true }), entry.attributes);
    return 0;
  }

  setattr(request: Request, id: number, change: AttributeChange, entry: Entry): number {
    const path = this.#path(id);
    const { valid, size, mode, uid, gid } = change;
    if (valid & flags.FATTR_SIZE) truncateSync(path, size);
    if (valid & (flags.FATTR_UID | flags.FATTR_GID)) {
      lchownSync(path, valid & flags.FATTR_UID ? uid : -1, valid & flags.FATTR_GID ? gid : -1);
    }
    if (valid & flags.FATTR_MODE) chmodSync(path, mode & 0o7777);
    if (valid & (flags.FATTR_ATIME | flags.FATTR_MTIME)) {
      const stat = lstatSync(path, { bigint: true });
      const now = Date.now() / 1000;
      const atime = valid & flags.FATTR_ATIME_NOW ? now : change.atime + change.atimeNsec / 1e9;
      const mtime = valid & flags.FATTR_MTIME_NOW ? now : change.mtime + change.mtimeNsec / 1e9;
      lutimesSync(
        path,
        valid & flags.FATTR_ATIME ? atime : Number(stat.atimeNs) / 1e9,
        valid & flags.FATTR_MTIME ? mtime : Number(stat.mtimeNs) / 1e9,
      );
    }
    return this.getattr(request, id, 0, entry);
  }

  readlink(_request: Request, id: number, out: Bytes): number {
    return readlinkSync(this.#path(id), { encoding: 'buffer' }).copy(out.buffer, out.start);
  }

  symlink(_request: Request, parent: number, name: Name, target: Buffer, entry: Entry): number {
    const path = this.#child(parent, name);
    symlinkSync(target, this.#absolute(path));
    return this.#enter(path, entry);
  }

  /** Regular files; Node makes no others. */
  mknod(
    _request: Request,
    parent: number,
    name: Name,
    mode: number,
    _rdev: number,
    _umask: number,
    entry: Entry,
  ): number {
    if ((mode & FileType.mask) !== FileType.file) return -EOPNOTSUPP;
    const path = this.#child(parent, name);
    writeFileSync(this.#absolute(path), '', { mode: mode & 0o7777, flag: 'wx' });
    return this.#enter(path, entry);
  }

  mkdir(_request: Request, parent: number, name: Name, mode: number, _umask: number, entry: Entry): number {
    const path = this.#child(parent, name);
    mkdirSync(this.#absolute(path), mode & 0o7777);
    return this.#enter(path, entry);
  }

  unlink(_request: Request, parent: number, name: Name): number {
    unlinkSync(this.#absolute(this.#child(parent, name)));
    return 0;
  }

  rmdir(_request: Request, parent: number, name: Name): number {
    rmdirSync(this.#absolute(this.#child(parent, name)));
    return 0;
  }

  rename(_request: Request, parent: number, name: Name, newParent: number, newName: Name, how: number): number {
    const [from, to] = [this.#child(parent, name), this.#child(newParent, newName)];
    if (how & ~RENAME_NOREPLACE) return -EINVAL;
    if (how & RENAME_NOREPLACE && lstatSync(this.#absolute(to), { throwIfNoEntry: false })) return -EEXIST;
    renameSync(this.#absolute(from), this.#absolute(to));
    const below = Buffer.concat([from, slash]);
    for (const node of this.#byId.values()) {
      if (node.path.equals(from)) node.path = to;
      else if (node.path.subarray(0, below.length).equals(below)) {
        node.path = Buffer.concat([to, node.path.subarray(from.length)]);
      }
    }
    return 0;
  }

  link(_request: Request, id: number, newParent: number, newName: Name, entry: Entry): number {
    const path = this.#child(newParent, newName);
    linkSync(this.#path(id), this.#absolute(path));
    return this.#enter(path, entry);
  }

  open(_request: Request, id: number, how: number, opened: Opened): number {
    // For appending the kernel says where each write goes.
    opened.handle = openSync(this.#path(id), how & O_ACCMODE);
    opened.flags = 0;
    return 0;
  }

  read(_request: Request, _id: number, handle: number, offset: number, out: Bytes): number {
    return readSync(handle, out.buffer, out.start, out.length, offset);
  }

  write(_request: Request, _id: number, handle: number, offset: number, data: Bytes): number {
    return writeSync(handle, data.buffer, data.start, data.length, offset);
  }

  fsync(_request: Request, _id: number, handle: number): number {
    fsyncSync(handle);
    return 0;
  }

  release(_request: Request, _id: number, handle: number): number {
    closeSync(handle);
    return 0;
  }

  /** Offsets are positions in the listing, which is read anew each time: what changes meanwhile may come twice or not at all. */
  readdir(_request: Request, id: number, _handle: number, offset: number, out: DirectoryReply): number {
    const names = [...dots, ...readdirSync(this.#path(id), { encoding: 'buffer' })];
    for (let at = offset; at < names.length; at++) {
      const name = names[at]!;
      const path = join(this.#byId.get(id)!.path, name);
      const stat = lstatSync(this.#absolute(path), { bigint: true, throwIfNoEntry: false });
      if (!stat) continue;
      fill(stat, out.entry.attributes);
      // The kernel knows by itself what the dots are.
      const node = out.plus && at >= dots.length ? this.#node(path, stat) : undefined;
      out.entry.nodeId = node?.id ?? 0;
      out.entry.entryTimeout = out.entry.attrTimeout = 0;
      if (out.add(name, 0, name.length, at + 1)) continue;
      if (node) this.forget(node.id, 1);
      break;
    }
    return 0;
  }

  statfs(_request: Request, _id: number, out: StatFs): number {
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(this.#root);
    Object.assign(out, { bsize, frsize: bsize, blocks, bfree, bavail, files, ffree, namelen: 255 });
    return 0;
  }

  #child(parent: number, name: Name): Buffer {
    return join(this.#find(parent).path, name.toBuffer());
  }

  #enter(path: Buffer, entry: Entry): number {
    const stat = lstatSync(this.#absolute(path), { bigint: true, throwIfNoEntry: false });
    if (!stat) return -ENOENT;
    entry.nodeId = this.#node(path, stat).id;
    entry.generation = 0;
    entry.entryTimeout = entry.attrTimeout = 0;
    fill(stat, entry.attributes);
    return 0;
  }

  /** The node of a file, with one more reference. */
  #node(path: Buffer, { dev, ino }: BigIntStats): Node {
    const file = `${dev}:${ino}`;
    const known = this.#byFile.get(file) ?? { id: this.#next++, file, path, references: 0 };
    known.path = path;
    known.references++;
    this.#byFile.set(file, known);
    this.#byId.set(known.id, known);
    return known;
  }

  #find(id: number): Node {
    const node = this.#byId.get(id);
    if (!node) throw Object.assign(new Error(`Cannot find node ${id} (ESTALE)`), { errno: -116 });
    return node;
  }

  #path(id: number): Buffer {
    return this.#absolute(this.#find(id).path);
  }

  #absolute(path: Buffer): Buffer {
    return path.length === 0 ? this.#root : join(this.#root, path);
  }
}

function join(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, slash, name]);
}

function fill(stat: BigIntStats, out: Attributes): void {
  out.ino = Number(stat.ino);
  out.size = Number(stat.size);
  out.blocks = Number(stat.blocks);
  for (const time of ['atime', 'mtime', 'ctime'] as const) {
    const ns = stat[`${time}Ns`];
    out[time] = Number(ns / nanosecond);
    out[`${time}Nsec`] = Number(ns % nanosecond);
  }
  out.mode = Number(stat.mode);
  out.nlink = Number(stat.nlink);
  out.uid = Number(stat.uid);
  out.gid = Number(stat.gid);
  out.rdev = makeDevice(Number(stat.rdev >> 8n) & 0xfff, Number(stat.rdev & 0xffn));
  out.blksize = Number(stat.blksize);
}
