/** Requests about file locks. */
import { FUSE_LK_FLOCK } from '../../protocol/flags.ts';
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { FileLock, FileSystem } from '../file-system.ts';

const { lkIn, lkOut, fileLock } = structs;

function takeLock(x: Exchange): FileLock {
  const at = lkIn.at.lk;
  x.lock.start = x.big(at + fileLock.at.start);
  x.lock.end = x.big(at + fileLock.at.end);
  x.lock.type = x.u32(at + fileLock.at.type);
  x.lock.pid = x.u32(at + fileLock.at.pid);
  return x.lock;
}

function isFlock(x: Exchange): boolean {
  return (x.u32(lkIn.at.lk_flags) & FUSE_LK_FLOCK) !== 0;
}

export function getlk(fs: FileSystem, x: Exchange): number {
  if (!fs.getlk) return -errno.ENOSYS;
  const lock = takeLock(x);
  const result = fs.getlk(x, x.nodeId, x.u64(lkIn.at.fh), x.big(lkIn.at.owner), lock, isFlock(x));
  if (result < 0) return result;
  x.putBig(fileLock.at.start, lock.start);
  x.putBig(fileLock.at.end, lock.end);
  x.put32(fileLock.at.type, lock.type);
  x.put32(fileLock.at.pid, lock.pid);
  return lkOut.size;
}

export function setlk(fs: FileSystem, x: Exchange): number {
  return set(fs, x, false);
}

export function setlkw(fs: FileSystem, x: Exchange): number {
  return set(fs, x, true);
}

function set(fs: FileSystem, x: Exchange, wait: boolean): number {
  if (!fs.setlk) return -errno.ENOSYS;
  return fs.setlk(x, x.nodeId, x.u64(lkIn.at.fh), x.big(lkIn.at.owner), takeLock(x), isFlock(x), wait);
}
