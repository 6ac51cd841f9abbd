/** Requests about a node's attributes, links' targets, and the whole file system. */
import { FATTR_FH, FUSE_GETATTR_FH } from '../../protocol/flags.ts';
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import { encodeAttrOut } from '../encode.ts';
import type { Exchange } from '../exchange.ts';
import { NO_HANDLE, type AttributeChange, type FileSystem } from '../file-system.ts';

const { outHeader, attrOut, getattrIn, setattrIn, kstatfs, accessIn } = structs;

function replyAttributes(x: Exchange, result: number): number {
  if (result < 0) return result;
  encodeAttrOut(x.payload, outHeader.size, x.entry, x.nodeId);
  return attrOut.size;
}

export function getattr(fs: FileSystem, x: Exchange): number {
  const open = x.u32(getattrIn.at.getattr_flags) & FUSE_GETATTR_FH;
  return replyAttributes(x, fs.getattr(x, x.nodeId, open ? x.u64(getattrIn.at.fh) : NO_HANDLE, x.entry));
}

export function setattr(fs: FileSystem, x: Exchange): number {
  if (!fs.setattr) return -errno.ENOSYS;
  const at = setattrIn.at;
  const valid = x.u32(at.valid);
  const change: AttributeChange = {
    valid,
    handle: valid & FATTR_FH ? x.u64(at.fh) : NO_HANDLE,
    size: x.u64(at.size),
    mode: x.u32(at.mode),
    uid: x.u32(at.uid),
    gid: x.u32(at.gid),
    atime: x.i64(at.atime),
    atimeNsec: x.u32(at.atimensec),
    mtime: x.i64(at.mtime),
    mtimeNsec: x.u32(at.mtimensec),
    ctime: x.i64(at.ctime),
    ctimeNsec: x.u32(at.ctimensec),
  };
  return replyAttributes(x, fs.setattr(x, x.nodeId, change, x.entry));
}

export function readlink(fs: FileSystem, x: Exchange): number {
  if (!fs.readlink) return -errno.ENOSYS;
  return fs.readlink(x, x.nodeId, x.openRoom(4095));
}

export function statfs(fs: FileSystem, x: Exchange): number {
  // Without an answer of its own a mount is still something that df can show: all zero.
  const out = x.statfs;
  const result = fs.statfs ? fs.statfs(x, x.nodeId, out) : 0;
  if (result < 0) return result;
  const at = kstatfs.at;
  x.clear(kstatfs.size);
  x.put64(at.blocks, out.blocks);
  x.put64(at.bfree, out.bfree);
  x.put64(at.bavail, out.bavail);
  x.put64(at.files, out.files);
  x.put64(at.ffree, out.ffree);
  x.put32(at.bsize, out.bsize);
  x.put32(at.frsize, out.frsize);
  x.put32(at.namelen, out.namelen);
  return kstatfs.size;
}

export function syncfs(fs: FileSystem, x: Exchange): number {
  return fs.syncfs ? fs.syncfs(x, x.nodeId) : -errno.ENOSYS;
}

export function access(fs: FileSystem, x: Exchange): number {
  return fs.access ? fs.access(x, x.nodeId, x.u32(accessIn.at.mask)) : -errno.ENOSYS;
}
