/** SETATTR: chmod, chown, utimes, truncate. */
import type { Entry } from '../../server/attributes.ts';
import type { AttributeChange } from '../../server/file-system.ts';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_CTIME,
  FATTR_GID,
  FATTR_KILL_SUIDGID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
} from '../../protocol/flags.ts';
import { errno } from '../../sys/errors.ts';
import { truncate } from '../../sys/io.ts';
import { accessAclName, chmodAcl, parseAcl } from '../acl/acl.ts';
import { tick } from '../clock.ts';
import type { Union } from '../union.ts';
import { isDirectory, isFile } from '../union.ts';
import type { Change } from '../upper/change.ts';
import { inDataFile, type Inode } from '../upper/inode.ts';
import { changed, openForChange } from './contents.ts';
import { dropCapability, readXattr, rewriteXattr } from './xattr.ts';

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o0010;
const attributeBits = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_CTIME;

/** setgid without group execute is a mark for locking and stays (fs/attr.c, setattr_should_drop_sgid). */
export function withoutSetId(mode: number): number {
  return mode & ~(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

export function setattr(union: Union, ino: number, change: AttributeChange, entry: Entry): number {
  const { valid } = change;
  const inode = union.copyUp(ino, (valid & FATTR_SIZE) !== 0 && change.size === 0);
  if (valid & FATTR_SIZE) {
    const result = resize(union, inode, change.size);
    if (result < 0) return result;
  }
  if (valid & attributeBits & ~FATTR_SIZE || (valid & FATTR_KILL_SUIDGID && inode.mode & 0o6000))
    setMetadata(union, inode, change);
  entry.attrTimeout = union.timeout(ino);
  return union.getattr(ino, entry.attributes);
}

function resize(union: Union, inode: Inode, size: number): number {
  if (!isFile(inode)) return isDirectory(inode) ? -errno.EISDIR : -errno.EINVAL;
  if (size === 0 && inode.size === 0 && !inDataFile(inode)) {
    const { sec, nsec } = tick();
    const image = union.store.image(inode);
    union.store.commit([{ ...image, mtime: sec, mtimeNsec: nsec, ctime: sec, ctimeNsec: nsec }]);
    return 0;
  }
  const fd = openForChange(union, inode, size, size < inode.size);
  if (fd < 0) return fd;
  const result = truncate(fd, size);
  if (result < 0) return result;
  changed(inode, size);
  return 0;
}

function setMetadata(union: Union, inode: Inode, change: AttributeChange): void {
  const { valid } = change;
  const image = union.store.image(inode);
  const now = tick();
  const changes: Change[] = [];
  if (valid & FATTR_MODE) {
    image.mode = (image.mode & ~0o7777) | (change.mode & 0o7777);
    changes.push(...aclAfterChmod(union, inode, image));
  }
  if (valid & FATTR_UID) image.uid = change.uid;
  if (valid & FATTR_GID) image.gid = change.gid;
  if (valid & (FATTR_UID | FATTR_GID) && !isDirectory(inode)) {
    // With HANDLE_KILLPRIV_V2 the kernel leaves to us what chown takes away.
    image.mode = withoutSetId(image.mode);
    changes.push(...dropCapability(union, inode, image));
  }
  if (valid & FATTR_KILL_SUIDGID) image.mode = withoutSetId(image.mode);
  if (valid & FATTR_ATIME) {
    image.atime = valid & FATTR_ATIME_NOW ? now.sec : change.atime;
    image.atimeNsec = valid & FATTR_ATIME_NOW ? now.nsec : change.atimeNsec;
  }
  if (valid & FATTR_MTIME) {
    image.mtime = valid & FATTR_MTIME_NOW ? now.sec : change.mtime;
    image.mtimeNsec = valid & FATTR_MTIME_NOW ? now.nsec : change.mtimeNsec;
  }
  image.ctime = valid & FATTR_CTIME ? change.ctime : now.sec;
  image.ctimeNsec = valid & FATTR_CTIME ? change.ctimeNsec : now.nsec;
  union.store.commit([image, ...changes]);
}

function aclAfterChmod(union: Union, inode: Inode, image: { mode: number; flags: number }): Change[] {
  const value = readXattr(union, inode.ino, accessAclName);
  const entries = typeof value === 'number' ? undefined : parseAcl(value);
  return entries ? rewriteXattr(union, inode, image, accessAclName, chmodAcl(entries, image.mode)) : [];
}
