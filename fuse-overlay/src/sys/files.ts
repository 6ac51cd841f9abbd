/**
 * Files by directory descriptor and name. Results as libc.ts has them: negative is `-errno`.
 * `dirFd` may be AT_FDCWD; no call follows a symbolic link in the last component unless its doc says so.
 */
import { bind, check, syscall } from './libc.ts';
import { allocate } from './memory.ts';
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NONBLOCK,
} from './open-flags.ts';
import { pathAddress, type PathLike } from './path.ts';

const c = {
  openat: bind('openat', 'int', ['int', 'pointer', 'int', 'u32']),
  close: bind('close', 'int', ['int']),
  fcntl: bind('fcntl', 'int', ['int', 'int', 'int']),
  mkdirat: bind('mkdirat', 'int', ['int', 'pointer', 'u32']),
  mknodat: bind('mknodat', 'int', ['int', 'pointer', 'u32', 'size']),
  symlinkat: bind('symlinkat', 'int', ['pointer', 'int', 'pointer']),
  linkat: bind('linkat', 'int', ['int', 'pointer', 'int', 'pointer', 'int']),
  unlinkat: bind('unlinkat', 'int', ['int', 'pointer', 'int']),
  renameat2: bind('renameat2', 'int', ['int', 'pointer', 'int', 'pointer', 'u32']),
  readlinkat: bind('readlinkat', 'long', ['int', 'pointer', 'pointer', 'size']),
  fchmod: bind('fchmod', 'int', ['int', 'u32']),
  fchmodat: bind('fchmodat', 'int', ['int', 'pointer', 'u32', 'int']),
  fchownat: bind('fchownat', 'int', ['int', 'pointer', 'u32', 'u32', 'int']),
  futimens: bind('futimens', 'int', ['int', 'pointer']),
  utimensat: bind('utimensat', 'int', ['int', 'pointer', 'pointer', 'int']),
};

/** The same number on every architecture, as all newer calls. */
const SYS_openat2 = 437;
const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;

/** A new descriptor, close-on-exec. Follows a link in the last component unless `flags` has O_NOFOLLOW. */
export function openAt(dirFd: number, path: PathLike, flags: number, mode = 0): number {
  return check(c.openat(dirFd, pathAddress(path), flags | O_CLOEXEC, mode));
}

const how = allocate(24);

/** openat2(2) (Linux 5.6): `resolve` are RESOLVE_* flags. */
export function openAt2(dirFd: number, path: PathLike, flags: number, mode: number, resolve: number): number {
  how.buffer.writeBigUInt64LE(BigInt((flags | O_CLOEXEC) >>> 0), 0);
  how.buffer.writeBigUInt64LE(BigInt(mode), 8);
  how.buffer.writeBigUInt64LE(BigInt(resolve), 16);
  return check(syscall(SYS_openat2, dirFd, pathAddress(path), how.address, 24, 0, 0));
}

export function close(fd: number): number {
  return check(c.close(fd));
}

export function duplicate(fd: number): number {
  return check(c.fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/** Also for everyone else who has the same open file description. */
export function setNonblocking(fd: number): number {
  const flags = check(c.fcntl(fd, F_GETFL, 0));
  return flags < 0 ? flags : check(c.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

export function mkdirAt(dirFd: number, path: PathLike, mode: number): number {
  return check(c.mkdirat(dirFd, pathAddress(path), mode));
}

/** `rdev` in the encoding of `makeDevice`, which agrees with the C library's for 12-bit majors and 20-bit minors. */
export function mknodAt(dirFd: number, path: PathLike, mode: number, rdev: number): number {
  return check(c.mknodat(dirFd, pathAddress(path), mode, rdev));
}

export function symlinkAt(target: PathLike, dirFd: number, path: PathLike): number {
  return check(c.symlinkat(pathAddress(target, 0), dirFd, pathAddress(path, 1)));
}

export function linkAt(fromFd: number, from: PathLike, toFd: number, to: PathLike): number {
  return check(c.linkat(fromFd, pathAddress(from, 0), toFd, pathAddress(to, 1), 0));
}

/** Gives an open file (also an O_TMPFILE one) a name, through /proc, which needs no privilege. */
export function linkFd(fd: number, toFd: number, to: PathLike): number {
  const from = pathAddress(`/proc/self/fd/${fd}`, 0);
  return check(c.linkat(-100, from, toFd, pathAddress(to, 1), AT_SYMLINK_FOLLOW));
}

export function unlinkAt(dirFd: number, path: PathLike): number {
  return check(c.unlinkat(dirFd, pathAddress(path), 0));
}

export function rmdirAt(dirFd: number, path: PathLike): number {
  return check(c.unlinkat(dirFd, pathAddress(path), AT_REMOVEDIR));
}

/** `flags`: RENAME_*. */
export function renameAt(fromFd: number, from: PathLike, toFd: number, to: PathLike, flags = 0): number {
  return check(c.renameat2(fromFd, pathAddress(from, 0), toFd, pathAddress(to, 1), flags));
}

const target = allocate(4096);

/** The target of a link, or a negative errno. An empty `path` reads the link that `dirFd` itself is (O_PATH). */
export function readlinkAt(dirFd: number, path: PathLike): Buffer | number {
  const length = check(c.readlinkat(dirFd, pathAddress(path), target.address, target.buffer.length));
  return length < 0 ? length : Buffer.from(target.buffer.subarray(0, length));
}

/** Of an open file; not for O_PATH descriptors. */
export function chmodFd(fd: number, mode: number): number {
  return check(c.fchmod(fd, mode));
}

/** Follows links: the kernel has no chmod of a link. */
export function chmodAt(dirFd: number, path: PathLike, mode: number): number {
  return check(c.fchmodat(dirFd, pathAddress(path), mode, 0));
}

/** Ids of -1 stay as they are. An empty `path` means `dirFd` itself. */
export function chownAt(dirFd: number, path: PathLike, uid: number, gid: number): number {
  return check(c.fchownat(dirFd, pathAddress(path), uid >>> 0, gid >>> 0, AT_SYMLINK_NOFOLLOW | emptyFlag(path)));
}

export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

const times = allocate(32);

/** Times in seconds and nanoseconds; a nanoseconds field of UTIME_NOW or UTIME_OMIT has its meaning of utimensat(2). */
export function utimesAt(
  dirFd: number,
  path: PathLike,
  atime: number,
  atimeNsec: number,
  mtime: number,
  mtimeNsec: number,
): number {
  fillTimes(atime, atimeNsec, mtime, mtimeNsec);
  return check(c.utimensat(dirFd, pathAddress(path), times.address, AT_SYMLINK_NOFOLLOW | emptyFlag(path)));
}

/** As `utimesAt`, of an open file. */
export function utimesFd(fd: number, atime: number, atimeNsec: number, mtime: number, mtimeNsec: number): number {
  fillTimes(atime, atimeNsec, mtime, mtimeNsec);
  return check(c.futimens(fd, times.address));
}

function fillTimes(atime: number, atimeNsec: number, mtime: number, mtimeNsec: number): void {
  times.buffer.writeBigInt64LE(BigInt(atime), 0);
  times.buffer.writeBigInt64LE(BigInt(atimeNsec), 8);
  times.buffer.writeBigInt64LE(BigInt(mtime), 16);
  times.buffer.writeBigInt64LE(BigInt(mtimeNsec), 24);
}

function emptyFlag(path: PathLike): number {
  return path.length === 0 ? AT_EMPTY_PATH : 0;
}
