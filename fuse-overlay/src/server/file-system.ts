/**
 * The contract between the FUSE server and a file system.
 *
 * **Calls.** One method for each FUSE request, synchronous. A method that is not there is answered with ENOSYS; for many
 * requests the kernel remembers that and never asks again (OPEN, OPENDIR, FLUSH, ACCESS, GETXATTR, LSEEK, CREATE…), which
 * is how a file system chooses to be without them.
 *
 * **Results.** A method returns a number: negative is `-errno` and the reply an error; else its success value, 0 unless its
 * doc says otherwise. Returning is much cheaper than throwing, and ENOENT is common. A thrown error that carries a numeric
 * `errno` (as Node's and this library's do) becomes that error; anything else becomes EIO and one line in the log: no request
 * can bring the server down.
 *
 * **Arguments.** Objects (`request`, names, data, `Entry`…) belong to the server and are reused: they are valid during
 * the call only. Output objects come in with the values of an earlier request: fill every field you answer for.
 *
 * **Nodes.** The root is node 1. A node id is a positive integer below 2^53, chosen by the file system. Each successful
 * LOOKUP, creation (MKNOD, MKDIR, SYMLINK, LINK, CREATE, TMPFILE) and READDIRPLUS entry with a node other than 0 counts
 * one reference on the node; `forget` gives them back. An id may be used again after its last reference is gone only with
 * another `generation`. Hard links are one node.
 *
 * **Handles** are integers chosen by the file system in `open`, `create`, `tmpfile` and `opendir` (below 2^53, 0 when it
 * has none or is without OPEN). Requests that the kernel sends without a handle pass `NO_HANDLE`.
 *
 * **Permissions.** Mount with `default_permissions`, and the kernel checks modes against `getattr`; then a method need not.
 *
 * **Takeover.** A server may die and another one go on with the same /dev/fuse fd: requests then name nodes and handles
 * that only the first one gave out. A file system supports that when its ids mean the same in every process.
 */
import type { Entry } from './attributes.ts';
import type { Name } from './name.ts';
import type { Notifier } from './notifier.ts';

/** The node id of the root (FUSE_ROOT_ID). */
export const ROOT_NODE = 1;

/** In place of a handle where the kernel sent none (FATTR_FH, FUSE_GETATTR_FH not set). */
export const NO_HANDLE = -1;

/**
 * In place of a result: the answer is not there yet, what will bring it was started (reading ahead from a disk). Others are
 * served, and the method is called again soon with `request.attempt` one higher. For requests without data only.
 */
export const NOT_YET = -1_000_000;

/** Who asks: ids as the user namespace of the mount numbers them. */
export interface Request {
  readonly opcode: number;
  /** Identifies the request among those of its mount. */
  readonly id: number;
  /** A dead server had taken it: perhaps it was done already, but never answered. */
  readonly resent: boolean;
  /** How many times the file system has said NOT_YET to this request. */
  readonly attempt: number;
  readonly uid: number;
  readonly gid: number;
  /** 0 when the asking process is not visible in the mount's PID namespace. */
  readonly pid: number;
}

/** A stretch of memory: data of a WRITE or a value that came in, or room for what goes out. */
export interface Bytes {
  /** The whole buffer; this stretch is `[start, start + length)` of it. */
  readonly buffer: Buffer;
  readonly start: number;
  /** For output: how much the kernel has room for. */
  readonly length: number;
  /** Address of `start` in memory, for system calls that take one (sys/io.ts). */
  readonly address: number;
  /** The stretch as a Buffer over the same memory. */
  view(): Buffer;
}

/** Room for what a READ replies. */
export interface ReadRoom extends Bytes {
  /**
   * Instead of writing to the room: the reply are the bytes `[offset, offset + length)` of this open file, all of which exist.
   * The server reads them right after the method has returned `length`, or lets the kernel move them.
   */
  fromFile(fd: number, offset: number, length: number): number;
}

/** What SETATTR changes; a field counts only when its flag in `valid` is set. */
export interface AttributeChange {
  /** `FATTR_*` bits (protocol/flags.ts). */
  readonly valid: number;
  /** `NO_HANDLE` when the change names no open file. */
  readonly handle: number;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: number;
  readonly atimeNsec: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly ctime: number;
  readonly ctimeNsec: number;
}

/** What OPEN, CREATE and OPENDIR reply. */
export class Opened {
  handle = 0;
  /** `FOPEN_*` bits (protocol/flags.ts). */
  flags = 0;
}

export class StatFs {
  /** In units of `frsize`. */
  blocks = 0;
  bfree = 0;
  bavail = 0;
  files = 0;
  ffree = 0;
  bsize = 4096;
  frsize = 4096;
  namelen = 255;
}

/** Where READDIR and READDIRPLUS put their entries. */
export interface DirectoryReply {
  /** READDIRPLUS: every entry carries a node. */
  readonly plus: boolean;
  /**
   * Fill before `add`. READDIR uses `attributes.ino` and the type in `attributes.mode` alone; READDIRPLUS everything, and with
   * node id 0 only the name and those two (as `.` and `..` must, which need not be listed at all).
   */
  readonly entry: Entry;
  /**
   * Adds an entry named by the bytes `[start, end)` of `name`. `next` is the offset that continues the listing after it
   * (positive, file system's choice). False: no room, nothing was added; stop and return 0, the kernel asks again.
   */
  add(name: Uint8Array, start: number, end: number, next: number): boolean;
}

/** A lock as in `struct fuse_file_lock`; bounds are inclusive, `end` is 2^63-1 for "to the end of the file". */
export interface FileLock {
  start: bigint;
  end: bigint;
  /** F_RDLCK 0, F_WRLCK 1, F_UNLCK 2. */
  type: number;
  pid: number;
}

/** What the file system wants from the kernel; the session asks for what the kernel has of it. */
export interface SessionOptions {
  /** Names for `FUSE_INIT` features (protocol/init-flags.ts), e.g. `['CACHE_SYMLINKS', 'WRITEBACK_CACHE']`. */
  readonly features?: readonly string[];
  /** Largest WRITE in bytes; default 1 MiB. */
  readonly maxWrite?: number;
  /** Read-ahead in bytes; default as the kernel offers. */
  readonly maxReadahead?: number;
}

export interface FileSystem {
  readonly session?: SessionOptions;

  /**
   * After INIT: the features that both sides have, and the way to tell the kernel things unasked. At a takeover, before the first
   * request: the features are those that were asked for.
   */
  init?(features: ReadonlySet<string>, notify: Notifier): void;
  /**
   * Called from the start on while no request waits, until it returns false: does a small piece (some 100 us) of work that
   * nobody has asked for yet.
   */
  background?(): boolean;
  /** The mount is gone; no call follows. */
  destroy?(): void;

  lookup(request: Request, parent: number, name: Name, entry: Entry): number;
  /** FORGET and each part of BATCH_FORGET. Never answered. */
  forget?(nodeId: number, count: number): void;
  /** `timeout` of the attributes in seconds goes into `entry.attrTimeout`; only that and `entry.attributes` are used. */
  getattr(request: Request, nodeId: number, handle: number, entry: Entry): number;
  /** Replies as `getattr`. */
  setattr?(request: Request, nodeId: number, change: AttributeChange, entry: Entry): number;
  /** Writes the target to `out` (no NUL); returns its length. */
  readlink?(request: Request, nodeId: number, out: Bytes): number;
  symlink?(request: Request, parent: number, name: Name, target: Buffer, entry: Entry): number;
  /** `mode` has type and permissions with the umask already taken off, unless the feature DONT_MASK was asked for. */
  mknod?(request: Request, parent: number, name: Name, mode: number, rdev: number, umask: number, entry: Entry): number;
  mkdir?(request: Request, parent: number, name: Name, mode: number, umask: number, entry: Entry): number;
  unlink?(request: Request, parent: number, name: Name): number;
  rmdir?(request: Request, parent: number, name: Name): number;
  /** RENAME and RENAME2; `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4. */
  rename?(request: Request, parent: number, name: Name, newParent: number, newName: Name, flags: number): number;
  link?(request: Request, nodeId: number, newParent: number, newName: Name, entry: Entry): number;

  /** `flags` as open(2), without O_CREAT, O_EXCL, O_NOCTTY (and O_TRUNC, unless ATOMIC_O_TRUNC was asked for). */
  open?(request: Request, nodeId: number, flags: number, opened: Opened): number;
  /** Writes up to `out.length` bytes from `offset` to `out`; returns how many. Fewer only at the end of the file. */
  read?(request: Request, nodeId: number, handle: number, offset: number, out: ReadRoom): number;
  /** Returns the number of bytes written; `flags` are `FUSE_WRITE_*` bits. */
  write?(request: Request, nodeId: number, handle: number, offset: number, data: Bytes, flags: number): number;
  /** A descriptor was closed; there may be others. */
  flush?(request: Request, nodeId: number, handle: number, lockOwner: bigint): number;
  /** The last descriptor is gone; a result has no effect. */
  release?(request: Request, nodeId: number, handle: number, flags: number): number;
  fsync?(request: Request, nodeId: number, handle: number, dataOnly: boolean): number;

  opendir?(request: Request, nodeId: number, flags: number, opened: Opened): number;
  /** Entries from `offset` on: 0, or a `next` given to `add`. READDIRPLUS when `out.plus`. Nothing added = the end. */
  readdir?(request: Request, nodeId: number, handle: number, offset: number, out: DirectoryReply): number;
  releasedir?(request: Request, nodeId: number, handle: number, flags: number): number;
  fsyncdir?(request: Request, nodeId: number, handle: number, dataOnly: boolean): number;

  statfs?(request: Request, nodeId: number, out: StatFs): number;
  /** Flushes the whole file system. */
  syncfs?(request: Request, nodeId: number): number;

  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2; `killSgid`: SETXATTR_ACL_KILL_SGID. */
  setxattr?(request: Request, nodeId: number, name: Name, value: Buffer, flags: number, killSgid: boolean): number;
  /** Returns the value's size and writes it to `out` if it fits; the server makes ERANGE of what does not. */
  getxattr?(request: Request, nodeId: number, name: Name, out: Bytes): number;
  /** As `getxattr`: the names, each with a NUL after it. */
  listxattr?(request: Request, nodeId: number, out: Bytes): number;
  removexattr?(request: Request, nodeId: number, name: Name): number;

  access?(request: Request, nodeId: number, mask: number): number;
  /** Creates and opens. Without it the kernel sends MKNOD, then OPEN. */
  create?(
    request: Request,
    parent: number,
    name: Name,
    mode: number,
    umask: number,
    flags: number,
    entry: Entry,
    opened: Opened,
  ): number;
  /** O_TMPFILE: as `create`, without a name. */
  tmpfile?(
    request: Request,
    parent: number,
    mode: number,
    umask: number,
    flags: number,
    entry: Entry,
    opened: Opened,
  ): number;

  /** Only with the features POSIX_LOCKS / FLOCK_LOCKS; without them the kernel keeps locks by itself, which is right for one host. */
  getlk?(request: Request, nodeId: number, handle: number, owner: bigint, lock: FileLock, flock: boolean): number;
  setlk?(
    request: Request,
    nodeId: number,
    handle: number,
    owner: bigint,
    lock: FileLock,
    flock: boolean,
    wait: boolean,
  ): number;

  /** Returns poll(2) bits of what is ready. */
  poll?(request: Request, nodeId: number, handle: number, events: number): number;
  /** `mode`: FALLOC_FL_* bits. */
  fallocate?(request: Request, nodeId: number, handle: number, offset: number, length: number, mode: number): number;
  /** SEEK_DATA 3, SEEK_HOLE 4 only; returns the offset. */
  lseek?(request: Request, nodeId: number, handle: number, offset: number, whence: number): number;
  /** Returns the number of bytes copied. */
  copyFileRange?(
    request: Request,
    nodeId: number,
    handle: number,
    offset: number,
    toNode: number,
    toHandle: number,
    toOffset: number,
    length: number,
  ): number;
  /** Restricted ioctls: `input` as the caller gave it; writes to `out` and returns how many bytes. */
  ioctl?(request: Request, nodeId: number, handle: number, command: number, input: Buffer, out: Bytes): number;
}
