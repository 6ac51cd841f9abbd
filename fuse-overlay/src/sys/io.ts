/** Contents of open files. Results as libc.ts has them: negative is `-errno`; offsets and lengths in bytes. */
import { bind, check } from './libc.ts';
import { allocate } from './memory.ts';

const c = {
  read: bind('read', 'long', ['int', 'pointer', 'size']),
  write: bind('write', 'long', ['int', 'pointer', 'size']),
  pread: bind('pread', 'long', ['int', 'pointer', 'size', 'offset']),
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
