/**
 * Files by directory descriptor and name. Results as libc.ts has them: negative is `-errno`.
 * `dirFd` may be AT_FDCWD; no call follows a symbolic link in the last component unless its doc says so.
 */
import { bind, check, syscall } from './libc.ts';
import { allocate } from './memory.ts';
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_NONBLOCK } from './open-flags.ts';
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

const times = allocate(32);

/** Of an open file: seconds and nanoseconds; a nanoseconds field of 0x3fffffff means now, 0x3ffffffe leaves the time (utimensat(2)). */
export function utimesFd(fd: number, atime: number, atimeNsec: number, mtime: number, mtimeNsec: number): number {
  fillTimes(atime, atimeNsec, mtime, mtimeNsec);
  return check(c.futimens(fd, times.address));
}

/** As `utimesFd`, of a path, not following a link. */
export function utimesAt(
  dirFd: number,
  path: PathLike,
  { atime, atimeNsec, mtime, mtimeNsec }: Record<'atime' | 'atimeNsec' | 'mtime' | 'mtimeNsec', number>,
): number {
  fillTimes(atime, atimeNsec, mtime, mtimeNsec);
  return check(c.utimensat(dirFd, pathAddress(path), times.address, AT_SYMLINK_NOFOLLOW));
}

function fillTimes(atime: number, atimeNsec: number, mtime: number, mtimeNsec: number): void {
  times.buffer.writeBigInt64LE(BigInt(atime), 0);
  times.buffer.writeBigInt64LE(BigInt(atimeNsec), 8);
  times.buffer.writeBigInt64LE(BigInt(mtime), 16);
  times.buffer.writeBigInt64LE(BigInt(mtimeNsec), 24);
}
