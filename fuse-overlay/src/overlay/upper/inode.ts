import type { Attributes } from '../../server/attributes.ts';
import type { ChangeOf } from './change.ts';
import type { DirectoryEntries } from './directory-entries.ts';

/** Where the contents of a regular file are. */
export const DataPlace = {
  /** Nowhere yet: the file is empty, or a hole from end to end. */
  none: 0,
  /** In the lower layer, under the same number. */
  lower: 1,
  /** In the upper layer's data file. */
  upper: 2,
  /** There too, copied from the lower layer, and the copy is not known to have reached the disk. */
  copy: 3,
} as const;

export function inDataFile(inode: Inode): boolean {
  return inode.data >= DataPlace.upper;
}

export const InodeFlag = {
  /** `xattrs` is all there is; without it the lower layer's hold. */
  ownXattrs: 1,
} as const;

/**
 * A file of the union that the upper layer has something to say about: one that was born in it, or a lower one whose
 * attributes, contents or names have changed. It has the same number before and after.
 */
export class Inode {
  readonly ino: number;
  mode = 0;
  uid = 0;
  gid = 0;
  rdev = 0;
  nlink = 0;
  size = 0;
  /** Units of 512 bytes in the upper layer's data file; of the lower file while the data is there. */
  blocks = 0;
  atime = 0;
  atimeNsec = 0;
  mtime = 0;
  mtimeNsec = 0;
  ctime = 0;
  ctimeNsec = 0;
  data: number = DataPlace.none;
  flags = 0;
  /** A directory that names it; of a directory the only one. */
  parent = 0;

  /** Of a symlink born here. */
  target: Buffer | undefined;
  xattrs: Map<string, Buffer> | undefined;
  /** Of a directory: what differs from its lower directory, or all there is. */
  entries: DirectoryEntries | undefined;

  /** The journal says that contents are changing: size, blocks and mtime in it are not to be relied on. */
  changing = false;
  /** `size` and `blocks` have to be read from the data file. */
  stale = false;
  /** With `stale`: mtime too, the server that knew it is gone. */
  staleTimes = false;
  /** Of a directory: its default ACL, as last looked up; null: none. */
  defaultAcl: Buffer | null | undefined;
  /** Contents are not known to be on disk. */
  unsynced = true;

  constructor(ino: number) {
    this.ino = ino;
  }
}

/** An `inode` change that says what the inode is now; the caller alters it before the commit. */
export function inodeImage(inode: Inode): ChangeOf<'inode'> {
  return {
    kind: 'inode',
    ino: inode.ino,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    nlink: inode.nlink,
    size: inode.size,
    blocks: inode.blocks,
    atime: inode.atime,
    atimeNsec: inode.atimeNsec,
    mtime: inode.mtime,
    mtimeNsec: inode.mtimeNsec,
    ctime: inode.ctime,
    ctimeNsec: inode.ctimeNsec,
    data: inode.data,
    flags: inode.flags,
    parent: inode.parent,
  };
}

/** Of a lower file: the image that its first change starts from. */
export function lowerImage(ino: number, attributes: Attributes, data: number, parent: number): ChangeOf<'inode'> {
  return {
    kind: 'inode',
    ino,
    mode: attributes.mode,
    uid: attributes.uid,
    gid: attributes.gid,
    rdev: attributes.rdev,
    nlink: attributes.nlink,
    size: attributes.size,
    blocks: attributes.blocks,
    atime: attributes.atime,
    atimeNsec: attributes.atimeNsec,
    mtime: attributes.mtime,
    mtimeNsec: attributes.mtimeNsec,
    ctime: attributes.ctime,
    ctimeNsec: attributes.ctimeNsec,
    data,
    flags: 0,
    parent,
  };
}

export function fillAttributes(inode: Inode, out: Attributes): void {
  out.ino = inode.ino;
  out.mode = inode.mode;
  out.uid = inode.uid;
  out.gid = inode.gid;
  out.rdev = inode.rdev;
  out.nlink = inode.nlink;
  out.size = inode.size;
  out.blocks = inode.blocks;
  out.atime = inode.atime;
  out.atimeNsec = inode.atimeNsec;
  out.mtime = inode.mtime;
  out.mtimeNsec = inode.mtimeNsec;
  out.ctime = inode.ctime;
  out.ctimeNsec = inode.ctimeNsec;
  out.blksize = 4096;
}
