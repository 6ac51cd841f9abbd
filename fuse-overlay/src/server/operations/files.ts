/** Requests about open files and their contents. */
import { FUSE_FSYNC_FDATASYNC } from '../../protocol/flags.ts';
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { FileSystem } from '../file-system.ts';

const { openIn, openOut, releaseIn, flushIn, readIn, writeIn, writeOut, fsyncIn } = structs;
const { fallocateIn, lseekIn, lseekOut, copyFileRangeIn, pollIn, pollOut, ioctlIn, ioctlOut } = structs;

export function replyOpened(x: Exchange, result: number): number {
  if (result < 0) return result;
  x.put64(openOut.at.fh, x.opened.handle);
  x.put32(openOut.at.open_flags, x.opened.flags);
  x.put32(openOut.at.padding, 0);
  return openOut.size;
}

export function open(fs: FileSystem, x: Exchange): number {
  if (!fs.open) return -errno.ENOSYS;
  x.opened.flags = 0;
  return replyOpened(x, fs.open(x, x.nodeId, x.u32(openIn.at.flags), x.opened));
}

export function read(fs: FileSystem, x: Exchange): number {
  if (!fs.read) return -errno.ENOSYS;
  const room = x.openRoom(x.u32(readIn.at.size));
  return fs.read(x, x.nodeId, x.u64(readIn.at.fh), x.u64(readIn.at.offset), room);
}

export function write(fs: FileSystem, x: Exchange): number {
  if (!fs.write) return -errno.ENOSYS;
  if (!x.takeData(x.u32(writeIn.at.size))) return -errno.EINVAL;
  const flags = x.u32(writeIn.at.write_flags);
  const written = fs.write(x, x.nodeId, x.u64(writeIn.at.fh), x.u64(writeIn.at.offset), x.data, flags);
  if (written < 0) return written;
  x.put32(writeOut.at.size, written);
  x.put32(writeOut.at.padding, 0);
  return writeOut.size;
}

export function flush(fs: FileSystem, x: Exchange): number {
  if (!fs.flush) return -errno.ENOSYS;
  return fs.flush(x, x.nodeId, x.u64(flushIn.at.fh), x.big(flushIn.at.lock_owner));
}

export function release(fs: FileSystem, x: Exchange): number {
  if (!fs.release) return 0;
  return fs.release(x, x.nodeId, x.u64(releaseIn.at.fh), x.u32(releaseIn.at.flags));
}

export function fsync(fs: FileSystem, x: Exchange): number {
  if (!fs.fsync) return -errno.ENOSYS;
  return fs.fsync(x, x.nodeId, x.u64(fsyncIn.at.fh), isDataOnly(x));
}

export function isDataOnly(x: Exchange): boolean {
  return (x.u32(fsyncIn.at.fsync_flags) & FUSE_FSYNC_FDATASYNC) !== 0;
}

export function fallocate(fs: FileSystem, x: Exchange): number {
  if (!fs.fallocate) return -errno.ENOSYS;
  const { fh, offset, length, mode } = fallocateIn.at;
  return fs.fallocate(x, x.nodeId, x.u64(fh), x.u64(offset), x.u64(length), x.u32(mode));
}

export function lseek(fs: FileSystem, x: Exchange): number {
  if (!fs.lseek) return -errno.ENOSYS;
  const { fh, offset, whence } = lseekIn.at;
  const result = fs.lseek(x, x.nodeId, x.u64(fh), x.u64(offset), x.u32(whence));
  if (result < 0) return result;
  x.put64(lseekOut.at.offset, result);
  return lseekOut.size;
}

export function copyFileRange(fs: FileSystem, x: Exchange): number {
  if (!fs.copyFileRange) return -errno.ENOSYS;
  const at = copyFileRangeIn.at;
  if (x.u64(at.flags) !== 0) return -errno.EINVAL;
  const copied = fs.copyFileRange(
    x,
    x.nodeId,
    x.u64(at.fh_in),
    x.u64(at.off_in),
    x.u64(at.nodeid_out),
    x.u64(at.fh_out),
    x.u64(at.off_out),
    x.u64(at.len),
  );
  if (copied < 0) return copied;
  x.put32(writeOut.at.size, copied);
  x.put32(writeOut.at.padding, 0);
  return writeOut.size;
}

export function poll(fs: FileSystem, x: Exchange): number {
  if (!fs.poll) return -errno.ENOSYS;
  const ready = fs.poll(x, x.nodeId, x.u64(pollIn.at.fh), x.u32(pollIn.at.events));
  if (ready < 0) return ready;
  x.put32(pollOut.at.revents, ready);
  x.put32(pollOut.at.padding, 0);
  return pollOut.size;
}

export function ioctl(fs: FileSystem, x: Exchange): number {
  if (!fs.ioctl) return -errno.ENOSYS;
  if (!x.takeData(x.u32(ioctlIn.at.in_size))) return -errno.EINVAL;
  const room = x.openRoom(x.u32(ioctlIn.at.out_size), ioctlOut.size);
  const result = fs.ioctl(x, x.nodeId, x.u64(ioctlIn.at.fh), x.u32(ioctlIn.at.cmd), x.data.view(), room);
  if (result < 0) return result;
  x.clear(ioctlOut.size);
  return ioctlOut.size + result;
}
