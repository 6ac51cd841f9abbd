/** READ and WRITE, and the copy-up of contents before the first write. */
import { longRead, readSoon, replyFromFile } from '../../layers/read-soon.ts';
import type { Bytes, ReadRoom, Request } from '../../server/file-system.ts';
import { FUSE_WRITE_CACHE, FUSE_WRITE_KILL_SUIDGID } from '../../protocol/flags.ts';
import { errno, systemError } from '../../sys/errors.ts';
import { close } from '../../sys/files.ts';
import { pwrite, truncate } from '../../sys/io.ts';
import { tick } from '../clock.ts';
import { copyContents } from '../copy-contents.ts';
import type { Union } from '../union.ts';
import { isFile } from '../union.ts';
import { DataPlace, inDataFile, type Inode } from '../upper/inode.ts';
import { withoutSetId } from './setattr.ts';
import { capabilityName, dropCapability } from './xattr.ts';

export function read(union: Union, request: Request, ino: number, offset: number, out: ReadRoom): number {
  const inode = union.store.get(ino);
  if (!inode || inode.data === DataPlace.lower) {
    const node = union.isLower(ino) ? union.lower.node(ino) : -errno.ESTALE;
    return node < 0 ? node : union.lower.layer.read(node, offset, out, request.attempt);
  }
  if (!inDataFile(inode)) return 0;
  const fd = union.store.files.fd(ino);
  if (fd < 0) return fd;
  // The size costs a system call where it is not known; a short read finds the end of the file as it comes.
  if (out.length < longRead) return readSoon(fd, out.address, out.length, offset, request.attempt);
  union.store.settle(inode);
  return replyFromFile(fd, inode.size, offset, out, request.attempt);
}

/** A descriptor to read a file's contents by, which the caller closes; or a negative errno, of a file without any too. */
export function openContents(union: Union, ino: number): number {
  const inode = union.store.get(ino);
  if (inode && inDataFile(inode)) return union.store.files.openForReading(ino);
  if (inode && inode.data !== DataPlace.lower) return -errno.ENODATA;
  const node = union.isLower(ino) ? union.lower.node(ino) : -errno.ESTALE;
  return node < 0 ? node : union.lower.layer.open(node);
}

export function write(union: Union, ino: number, offset: number, data: Bytes, flags: number): number {
  const inode = union.store.get(ino) ?? union.copyUp(ino);
  const fd = openForChange(union, inode, Infinity);
  if (fd < 0) return fd;
  const charged = charge(union, inode, offset, data.length);
  if (charged < 0) return charged;
  if (inode.xattrs?.has(capabilityName) || (flags & FUSE_WRITE_KILL_SUIDGID && inode.mode & 0o6000)) {
    dropPrivileges(union, inode, (flags & FUSE_WRITE_KILL_SUIDGID) !== 0);
  }
  let done = 0;
  while (done < data.length) {
    const written = pwrite(fd, data.address + done, data.length - done, offset + done);
    if (written <= 0) {
      if (done > 0) break;
      return written;
    }
    done += written;
  }
  // Written pages come long after the write, whose time the kernel keeps and sends by SETATTR.
  changed(inode, Math.max(inode.size, offset + done), !(union.writeback && flags & FUSE_WRITE_CACHE));
  return done;
}

/** After a change of contents: size, and now as the time of it if `isTimed`. */
export function changed(inode: Inode, size: number, isTimed = true): void {
  inode.size = size;
  inode.stale = true;
  inode.unsynced = true;
  if (!isTimed) return;
  const { sec, nsec } = tick();
  inode.mtime = inode.ctime = sec;
  inode.mtimeNsec = inode.ctimeNsec = nsec;
}

/**
 * The descriptor of the inode's data file, which the journal knows to be changing from here on; or a negative errno. Contents in
 * the lower layer are copied up to `keep` bytes. `isRemoval`: for a change that makes room.
 */
export function openForChange(union: Union, inode: Inode, keep: number, isRemoval = false): number {
  if (!isFile(inode)) return -errno.EINVAL;
  const { store } = union;
  const { ino } = inode;
  if (inDataFile(inode)) {
    // Before `changing` says that the data file knows better; and for a quota, which counts what the last write really took.
    if (!inode.changing || inode.staleTimes || store.quota.maxBlocks !== Infinity) store.settle(inode);
    if (!inode.changing) store.commit([{ kind: 'data', ino, data: inode.data }], isRemoval);
    return store.files.fd(ino);
  }
  const isCopy = inode.data === DataPlace.lower && keep > 0;
  const fd = store.files.create(ino);
  if (fd < 0) return fd;
  try {
    if (isCopy) copyFromLower(union, inode, fd, Math.min(keep, inode.size));
    const image = store.image(inode);
    const changes = inode.data === DataPlace.lower ? dropCapability(union, inode, image) : [];
    if (changes.length > 0) changes.unshift(image);
    store.commit([...changes, { kind: 'data', ino, data: isCopy ? DataPlace.copy : DataPlace.upper }], isRemoval);
  } catch (error) {
    store.files.remove(ino);
    throw error;
  }
  inode.stale = true;
  inode.unsynced = true;
  if (isCopy) store.syncBeforeJournal(ino);
  return fd;
}

/** Throws an errno. */
export function copyFromLower(union: Union, inode: Inode, to: number, size: number): void {
  const blocks = Math.ceil(size / 4096) * 8;
  if (!union.store.quota.hasBlocks(Math.min(blocks, inode.blocks || blocks))) throw noSpace(inode);
  const node = union.lower.node(inode.ino);
  const from = node < 0 ? node : union.lower.layer.open(node);
  if (from < 0) throw systemError('open', from, `copy up the contents of inode ${inode.ino}`);
  try {
    const result = copyContents(from, to, size);
    if (result < 0) throw systemError('write', result, `copy up the contents of inode ${inode.ino}`);
    truncate(to, size);
  } finally {
    close(from);
  }
}

function noSpace(inode: Inode): Error {
  return systemError('quota', errno.ENOSPC, `write to inode ${inode.ino}: the quota is used up`);
}

/**
 * Before a write of `length` bytes: counts the space that it may take, or gives -ENOSPC. The count is too high where the write
 * goes over what is there; what the data file really takes is asked when the limit seems reached, and with the next getattr.
 */
export function charge(union: Union, inode: Inode, offset: number, length: number): number {
  const { quota } = union.store;
  if (quota.maxBlocks === Infinity) return 0;
  let more = growth(inode, offset, length);
  if (!quota.hasBlocks(more)) {
    inode.stale = true;
    union.store.settle(inode);
    more = growth(inode, offset, length);
    if (!quota.hasBlocks(more)) return -errno.ENOSPC;
  }
  union.store.setBlocks(inode, inode.blocks + more);
  return 0;
}

/** In blocks of 512 bytes, of which the backing file system takes at least eight at a time. */
function growth(inode: Inode, offset: number, length: number): number {
  const isDense = inode.blocks * 512 >= inode.size;
  const from = isDense ? Math.max(offset, Math.ceil(inode.size / 4096) * 4096) : offset;
  const end = offset + length;
  return end <= from ? 0 : (Math.ceil(end / 4096) - Math.floor(from / 4096)) * 8;
}

/** A write takes setuid, setgid (`setId`: of a caller without CAP_FSETID) and file capabilities away. */
export function dropPrivileges(union: Union, inode: Inode, setId: boolean): void {
  const image = union.store.image(inode);
  if (setId) image.mode = withoutSetId(image.mode);
  const changes = dropCapability(union, inode, image);
  union.store.commit([image, ...changes, { kind: 'data', ino: inode.ino, data: inode.data }]);
  inode.stale = true;
}
