/** Attributes of files by statx(2), whose struct is the same on every architecture. */
import { Attributes, makeDevice } from '../server/attributes.ts';
import type { StatFs } from '../server/file-system.ts';
import { bind, check } from './libc.ts';
import { allocate } from './memory.ts';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from './open-flags.ts';
import { pathAddress, type PathLike } from './path.ts';

const statx = bind('statx', 'int', ['int', 'pointer', 'int', 'u32', 'pointer']);
const fstatfs = bind('fstatfs', 'int', ['int', 'pointer']);

const STATX_BASIC_STATS = 0x7ff;
const AT_NO_AUTOMOUNT = 0x800;

/** Offsets in `struct statx` (include/uapi/linux/stat.h). */
const offsets = {
  blksize: 4,
  nlink: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  size: 40,
  blocks: 48,
  atime: 64,
  ctime: 96,
  mtime: 112,
  rdevMajor: 128,
  rdevMinor: 132,
  devMajor: 136,
  devMinor: 140,
} as const;

const memory = allocate(256);
const view = new DataView(memory.buffer.buffer, memory.buffer.byteOffset, 256);

/** Attributes, and which file it is. */
export class FileStat extends Attributes {
  /** Device of the file system: `makeDevice(major, minor)`. */
  dev = 0;
  /** The inode number exactly; `ino` is cut to 53 bits. */
  inoExact = 0n;

  /** Text that no other existing file has. */
  identity(): string {
    return `${this.dev}:${this.inoExact}`;
  }
}

/** Fills `out`; does not follow a link, nor trigger an automount. An empty `path` means `dirFd` itself. */
export function statAt(dirFd: number, path: PathLike, out: FileStat): number {
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path.length === 0 ? AT_EMPTY_PATH : 0);
  const result = check(statx(dirFd, pathAddress(path), flags, STATX_BASIC_STATS, memory.address));
  if (result === 0) decode(out);
  return result;
}

export function statFd(fd: number, out: FileStat): number {
  return statAt(fd, '', out);
}

function decode(out: FileStat): void {
  out.dev = makeDevice(u32(offsets.devMajor), u32(offsets.devMinor));
  out.inoExact = view.getBigUint64(offsets.ino, true);
  out.ino = u32(offsets.ino) + (u32(offsets.ino + 4) & 0x1fffff) * 0x1_0000_0000;
  out.size = u64(offsets.size);
  out.blocks = u64(offsets.blocks);
  out.atime = i64(offsets.atime);
  out.atimeNsec = u32(offsets.atime + 8);
  out.mtime = i64(offsets.mtime);
  out.mtimeNsec = u32(offsets.mtime + 8);
  out.ctime = i64(offsets.ctime);
  out.ctimeNsec = u32(offsets.ctime + 8);
  out.mode = view.getUint16(offsets.mode, true);
  out.nlink = u32(offsets.nlink);
  out.uid = u32(offsets.uid);
  out.gid = u32(offsets.gid);
  out.rdev = makeDevice(u32(offsets.rdevMajor), u32(offsets.rdevMinor));
  out.blksize = u32(offsets.blksize);
}

function u32(at: number): number {
  return view.getUint32(at, true);
}

function u64(at: number): number {
  return u32(at) + u32(at + 4) * 0x1_0000_0000;
}

function i64(at: number): number {
  return u32(at) + view.getInt32(at + 4, true) * 0x1_0000_0000;
}

/** `type`: the file system's magic number. */
export type FileSystemStat = StatFs & { type?: number };

/** fstatfs(2); the struct of 64-bit architectures. */
export function statfsFd(fd: number, out: FileSystemStat): number {
  const result = check(fstatfs(fd, memory.address));
  if (result < 0) return result;
  out.type = u64(0);
  out.bsize = u64(8);
  out.blocks = u64(16);
  out.bfree = u64(24);
  out.bavail = u64(32);
  out.files = u64(40);
  out.ffree = u64(48);
  out.namelen = u64(64);
  out.frsize = u64(72);
  return 0;
}
