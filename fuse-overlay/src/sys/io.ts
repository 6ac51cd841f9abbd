/** Contents of open files. Results as libc.ts has them: negative is `-errno`; offsets and lengths in bytes. */
import { bind, check } from './libc.ts';
import { putWide } from '../protocol/wide.ts';
import { allocate } from './memory.ts';

const c = {
  read: bind('read', 'long', ['int', 'pointer', 'size']),
  write: bind('write', 'long', ['int', 'pointer', 'size']),
  pread: bind('pread', 'long', ['int', 'pointer', 'size', 'offset']),
  preadv2: bind('preadv2', 'long', ['int', 'pointer', 'int', 'offset', 'int']),
  fadvise: bind('posix_fadvise', 'int', ['int', 'offset', 'offset', 'int']),
  pwrite: bind('pwrite', 'long', ['int', 'pointer', 'size', 'offset']),
  lseek: bind('lseek', 'offset', ['int', 'offset', 'int']),
  ftruncate: bind('ftruncate', 'int', ['int', 'offset']),
  fallocate: bind('fallocate', 'int', ['int', 'int', 'offset', 'offset']),
  fsync: bind('fsync', 'int', ['int']),
  fdatasync: bind('fdatasync', 'int', ['int']),
  syncfs: bind('syncfs', 'int', ['int']),
  copyFileRange: bind('copy_file_range', 'long', ['int', 'pointer', 'int', 'pointer', 'size', 'u32']),
};

export function readFd(fd: number, address: number, length: number): number {
  return check(c.read(fd, address, length));
}

export function writeFd(fd: number, address: number, length: number): number {
  return check(c.write(fd, address, length));
}

/** May give fewer bytes than asked for. */
export function pread(fd: number, address: number, length: number, offset: number): number {
  return check(c.pread(fd, address, length, offset));
}

/** Reads on until `length` bytes or the end of the file. */
export function preadFully(fd: number, address: number, length: number, offset: number): number {
  let done = pread(fd, address, length, offset);
  while (done >= 0 && done < length) {
    const more = pread(fd, address + done, length - done, offset + done);
    if (more < 0) return more;
    if (more === 0) break;
    done += more;
  }
  return done;
}

const RWF_NOWAIT = 8;
const POSIX_FADV_WILLNEED = 3;
const POSIX_FADV_DONTNEED = 4;

const vector = allocate(16);
const vectorView = new DataView(vector.buffer.buffer, vector.buffer.byteOffset, 16);

/**
 * Reads what lies in the page cache, so without waiting for a disk: may give fewer bytes than there are, `-EAGAIN` for none, and
 * `-EOPNOTSUPP` on file systems that cannot tell (preadv2(2), Linux 4.14).
 */
export function preadCached(fd: number, address: number, length: number, offset: number): number {
  putWide(vectorView, 0, address);
  putWide(vectorView, 8, length);
  return check(c.preadv2(fd, vector.address, 1, offset, RWF_NOWAIT));
}

/** Starts reading into the page cache; does not wait. */
export function willNeed(fd: number, offset: number, length: number): void {
  c.fadvise(fd, offset, length, POSIX_FADV_WILLNEED);
}

/** Drops a file's contents from the page cache. */
export function dropCached(fd: number): void {
  c.fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

export function pwrite(fd: number, address: number, length: number, offset: number): number {
  return check(c.pwrite(fd, address, length, offset));
}

/** SEEK_SET 0, SEEK_DATA 3, SEEK_HOLE 4… */
export function seek(fd: number, offset: number, whence: number): number {
  return check(c.lseek(fd, offset, whence));
}

export function truncate(fd: number, length: number): number {
  return check(c.ftruncate(fd, length));
}

/** `mode`: FALLOC_FL_*. */
export function fallocate(fd: number, mode: number, offset: number, length: number): number {
  return check(c.fallocate(fd, mode, offset, length));
}

export function fsync(fd: number, dataOnly: boolean): number {
  return check(dataOnly ? c.fdatasync(fd) : c.fsync(fd));
}

/** Flushes the file system that `fd` lies on. */
export function syncFileSystem(fd: number): number {
  return check(c.syncfs(fd));
}

const offsets = allocate(16);

/** Copies within the kernel; returns the number of bytes, which may be fewer. */
export function copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number {
  offsets.buffer.writeBigInt64LE(BigInt(fromOffset), 0);
  offsets.buffer.writeBigInt64LE(BigInt(toOffset), 8);
  return check(c.copyFileRange(from, offsets.address, to, offsets.address + 8, length, 0));
}
