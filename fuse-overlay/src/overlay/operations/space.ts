/** FALLOCATE, LSEEK, COPY_FILE_RANGE and STATFS. */
import type { StatFs } from '../../server/file-system.ts';
import { errno } from '../../sys/errors.ts';
import { close } from '../../sys/files.ts';
import { copyFileRange as copyInKernel, fallocate as allocateSpace, seek } from '../../sys/io.ts';
import { statfsFd } from '../../sys/stat.ts';
import { tick } from '../clock.ts';
import type { Union } from '../union.ts';
import { isFile } from '../union.ts';
import { DataPlace, inDataFile } from '../upper/inode.ts';
import { changed, charge, dropPrivileges, openContents, openForChange } from './contents.ts';
import { capabilityName } from './xattr.ts';

const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_COLLAPSE_RANGE = 0x08;
const SEEK_DATA = 3;

export function fallocate(union: Union, ino: number, offset: number, length: number, mode: number): number {
  const inode = union.copyUp(ino);
  const fd = openForChange(union, inode, Infinity);
  if (fd < 0) return fd;
  if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))) {
    const charged = charge(union, inode, offset, length);
    if (charged < 0) return charged;
  }
  if (inode.xattrs?.has(capabilityName)) dropPrivileges(union, inode, false);
  const result = allocateSpace(fd, mode, offset, length);
  inode.stale = true;
  inode.unsynced = true;
  union.store.settle(inode);
  if (result < 0) return result;
  const { sec, nsec } = tick();
  inode.mtime = inode.ctime = sec;
  inode.mtimeNsec = inode.ctimeNsec = nsec;
  return 0;
}

/** A descriptor to read the file through, and whether it has to be closed; or a negative errno. */
function openForReading(union: Union, ino: number): { fd: number; isOwn: boolean } {
  const inode = union.store.get(ino);
  if (inode && inDataFile(inode)) return { fd: union.store.files.fd(ino), isOwn: false };
  return { fd: openContents(union, ino), isOwn: true };
}

export function lseek(union: Union, ino: number, offset: number, whence: number): number {
  const inode = union.store.get(ino);
  // Without a data file the file is empty: every offset is behind its end.
  if (inode && isFile(inode) && inode.data === DataPlace.none) return -errno.ENXIO;
  if (inode && !isFile(inode)) return whence === SEEK_DATA ? offset : -errno.EINVAL;
  const { fd, isOwn } = openForReading(union, ino);
  if (fd < 0) return fd;
  const result = seek(fd, offset, whence);
  if (isOwn) close(fd);
  return result;
}

export function copyFileRange(
  union: Union,
  ino: number,
  offset: number,
  toIno: number,
  toOffset: number,
  length: number,
): number {
  const target = union.copyUp(toIno);
  const source = union.store.get(ino);
  if (source?.data === DataPlace.none) return 0;
  const to = openForChange(union, target, Infinity);
  if (to < 0) return to;
  const charged = charge(union, target, toOffset, length);
  if (charged < 0) return charged;
  if (target.xattrs?.has(capabilityName)) dropPrivileges(union, target, false);
  const { fd: from, isOwn } = openForReading(union, ino);
  if (from < 0) return from;
  const copied = copyInKernel(from, offset, to, toOffset, length);
  if (isOwn) close(from);
  // The kernel then copies through the page cache.
  if (copied < 0) return copied === -errno.EXDEV || copied === -errno.EINVAL ? -errno.EOPNOTSUPP : copied;
  changed(target, Math.max(target.size, toOffset + copied));
  return copied;
}

/** The backing file system's, narrowed to the quota where there is one. */
export function statfs(union: Union, out: StatFs): number {
  const { files, quota, table } = union.store;
  const result = statfsFd(files.directory, out);
  if (result < 0) return result;
  out.namelen = 255;
  if (quota.maxBlocks !== Infinity) {
    const unit = out.frsize / 512;
    const left = Math.floor(Math.max(0, quota.maxBlocks - quota.blocks) / unit);
    out.blocks = Math.floor(quota.maxBlocks / unit);
    out.bfree = Math.min(left, out.bfree);
    out.bavail = Math.min(left, out.bavail);
  }
  if (quota.maxInodes !== Infinity) {
    out.files = quota.maxInodes;
    out.ffree = Math.max(0, quota.maxInodes - table.inodes.size);
  }
  return 0;
}
