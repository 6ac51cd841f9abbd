/**
 * Extended attributes. The calls without a descriptor go through `/proc/self/fd/N`, which also serves O_PATH descriptors
 * (of symlinks, fifos, devices), for which the f* calls give EBADF.
 */
import type { Name } from '../server/name.ts';
import { bind, check } from './libc.ts';
import { addressOf, allocate } from './memory.ts';
import { pathAddress } from './path.ts';

const c = {
  getxattr: bind('getxattr', 'long', ['pointer', 'pointer', 'pointer', 'size']),
  setxattr: bind('setxattr', 'int', ['pointer', 'pointer', 'pointer', 'size', 'int']),
  listxattr: bind('listxattr', 'long', ['pointer', 'pointer', 'size']),
  removexattr: bind('removexattr', 'int', ['pointer', 'pointer']),
};

/** XATTR_SIZE_MAX and XATTR_LIST_MAX (include/uapi/linux/limits.h). */
const memory = allocate(65536);

type AttributeName = Name | Uint8Array | string;

/** The value, or a negative errno. */
export function getXattr(fd: number, name: AttributeName): Buffer | number {
  const path = fdPath(fd);
  const size = check(c.getxattr(path, pathAddress(name, 1), memory.address, memory.buffer.length));
  return size < 0 ? size : Buffer.from(memory.buffer.subarray(0, size));
}

/** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
export function setXattr(fd: number, name: AttributeName, value: Uint8Array, flags = 0): number {
  const path = fdPath(fd);
  const at = value.length > 0 ? addressOf(value) : memory.address;
  return check(c.setxattr(path, pathAddress(name, 1), at, value.length, flags));
}

/** The names, or a negative errno. */
export function listXattrs(fd: number): Buffer[] | number {
  const size = check(c.listxattr(fdPath(fd), memory.address, memory.buffer.length));
  if (size < 0) return size;
  const names: Buffer[] = [];
  for (let at = 0; at < size;) {
    const end = memory.buffer.indexOf(0, at);
    names.push(Buffer.from(memory.buffer.subarray(at, end)));
    at = end + 1;
  }
  return names;
}

export function removeXattr(fd: number, name: AttributeName): number {
  const path = fdPath(fd);
  return check(c.removexattr(path, pathAddress(name, 1)));
}

function fdPath(fd: number): number {
  return pathAddress(`/proc/self/fd/${fd}`, 0);
}
