/**
 * Attributes of a file, as numbers. One reusable object: file systems fill it, the server encodes it.
 * A class, so that every instance has one hidden class and stays fast.
 */
export class Attributes {
  /** Inode number shown to programs, at most 2^53; 0 stands for the node id. */
  ino = 0;
  size = 0;
  /** Units of 512 bytes. */
  blocks = 0;
  /** Seconds since the epoch, may be negative; nanoseconds apart. */
  atime = 0;
  atimeNsec = 0;
  mtime = 0;
  mtimeNsec = 0;
  ctime = 0;
  ctimeNsec = 0;
  /** `st_mode`: file type and permission bits. */
  mode = 0;
  nlink = 1;
  uid = 0;
  gid = 0;
  /** Device number in the kernel's 32-bit encoding (`makeDevice`). */
  rdev = 0;
  blksize = 4096;
}

/** What LOOKUP and everything that creates a name reply: a node, its attributes, and how long the kernel may trust both. */
export class Entry {
  /** 0 with a positive `entryTimeout` is a negative entry: the kernel remembers that the name does not exist. */
  nodeId = 0;
  generation = 0;
  /** Seconds that the name -> node mapping may be cached. */
  entryTimeout = 0;
  /** Seconds that the attributes may be cached. */
  attrTimeout = 0;
  readonly attributes: Attributes = new Attributes();
}

/** File type bits of `st_mode` (inode(7)). */
export const FileType = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  file: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** The kernel's `new_encode_dev` (include/linux/kdev_t.h), the encoding of `rdev` in FUSE messages. */
export function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export function deviceMajor(rdev: number): number {
  return (rdev & 0xfff00) >>> 8;
}

export function deviceMinor(rdev: number): number {
  return ((rdev & 0xff) | ((rdev >>> 12) & 0xfff00)) >>> 0;
}
