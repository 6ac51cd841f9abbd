/** Requests about extended attributes. */
import { FUSE_SETXATTR_ACL_KILL_SGID } from '../../protocol/flags.ts';
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import { maxPayload, type Exchange } from '../exchange.ts';
import type { FileSystem } from '../file-system.ts';

const { setxattrIn, getxattrIn, getxattrOut } = structs;

/** XATTR_NAME_MAX (include/uapi/linux/limits.h). */
const nameLimit = 255;

/** Without SETXATTR_EXT the kernel sends the first 8 bytes of `fuse_setxattr_in` only. */
const shortSetxattrIn = setxattrIn.at.setxattr_flags;

export function setxattr(fs: FileSystem, x: Exchange): number {
  if (!fs.setxattr) return -errno.ENOSYS;
  const extended = x.extendedSetxattr;
  if (extended && x.bodyLength < setxattrIn.size) return -errno.EINVAL;
  x.skip(extended ? setxattrIn.size : shortSetxattrIn);
  const bad = x.takeString(x.name, nameLimit);
  if (bad) return bad;
  if (!x.takeData(x.u32(setxattrIn.at.size))) return -errno.EINVAL;
  const kill = extended && (x.u32(setxattrIn.at.setxattr_flags) & FUSE_SETXATTR_ACL_KILL_SGID) !== 0;
  return fs.setxattr(x, x.nodeId, x.name, Buffer.from(x.data.view()), x.u32(setxattrIn.at.flags), kill);
}

export function getxattr(fs: FileSystem, x: Exchange): number {
  if (!fs.getxattr) return -errno.ENOSYS;
  const bad = x.takeString(x.name, nameLimit);
  if (bad) return bad;
  const room = Math.min(x.u32(getxattrIn.at.size), maxPayload);
  return replyValue(x, fs.getxattr(x, x.nodeId, x.name, x.openRoom(room)), room);
}

export function listxattr(fs: FileSystem, x: Exchange): number {
  if (!fs.listxattr) return -errno.ENOSYS;
  const room = Math.min(x.u32(getxattrIn.at.size), maxPayload);
  return replyValue(x, fs.listxattr(x, x.nodeId, x.openRoom(room)), room);
}

/** A room of 0 asks how large the value is. */
function replyValue(x: Exchange, size: number, room: number): number {
  if (size < 0) return size;
  if (room > 0) return size > room ? -errno.ERANGE : size;
  x.put32(getxattrOut.at.size, size);
  x.put32(getxattrOut.at.padding, 0);
  return getxattrOut.size;
}

export function removexattr(fs: FileSystem, x: Exchange): number {
  if (!fs.removexattr) return -errno.ENOSYS;
  return x.takeString(x.name, nameLimit) || fs.removexattr(x, x.nodeId, x.name);
}
