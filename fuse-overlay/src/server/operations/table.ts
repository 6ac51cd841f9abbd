/** The handler of each request. A handler returns the length of the reply's payload or `-errno`. */
import type { OpcodeName } from '../../protocol/opcodes.ts';
import type { Exchange } from '../exchange.ts';
import type { FileSystem } from '../file-system.ts';
import * as attributes from './attributes.ts';
import * as directories from './directories.ts';
import * as files from './files.ts';
import * as locks from './locks.ts';
import * as names from './names.ts';
import * as xattrs from './xattrs.ts';

export type Handler = (fs: FileSystem, exchange: Exchange) => number;

/** Undefined: the session's own (INIT, DESTROY, INTERRUPT), or not served (ENOSYS). */
export const handlers: Record<OpcodeName, Handler | undefined> = {
  LOOKUP: names.lookup,
  FORGET: names.forget,
  GETATTR: attributes.getattr,
  SETATTR: attributes.setattr,
  READLINK: attributes.readlink,
  SYMLINK: names.symlink,
  MKNOD: names.mknod,
  MKDIR: names.mkdir,
  UNLINK: names.unlink,
  RMDIR: names.rmdir,
  RENAME: names.rename,
  LINK: names.link,
  OPEN: files.open,
  READ: files.read,
  WRITE: files.write,
  STATFS: attributes.statfs,
  RELEASE: files.release,
  FSYNC: files.fsync,
  SETXATTR: xattrs.setxattr,
  GETXATTR: xattrs.getxattr,
  LISTXATTR: xattrs.listxattr,
  REMOVEXATTR: xattrs.removexattr,
  FLUSH: files.flush,
  INIT: undefined,
  OPENDIR: directories.opendir,
  READDIR: directories.readdir,
  RELEASEDIR: directories.releasedir,
  FSYNCDIR: directories.fsyncdir,
  GETLK: locks.getlk,
  SETLK: locks.setlk,
  SETLKW: locks.setlkw,
  ACCESS: attributes.access,
  CREATE: names.create,
  // ENOSYS: the kernel sends no further ones. A request is served before the next is read, so none could be interrupted.
  INTERRUPT: undefined,
  BMAP: undefined,
  DESTROY: undefined,
  IOCTL: files.ioctl,
  POLL: files.poll,
  NOTIFY_REPLY: undefined,
  BATCH_FORGET: names.batchForget,
  FALLOCATE: files.fallocate,
  READDIRPLUS: directories.readdirplus,
  RENAME2: names.rename2,
  LSEEK: files.lseek,
  COPY_FILE_RANGE: files.copyFileRange,
  SETUPMAPPING: undefined,
  REMOVEMAPPING: undefined,
  SYNCFS: attributes.syncfs,
  TMPFILE: names.tmpfile,
  STATX: undefined,
};
