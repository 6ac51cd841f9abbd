/** Paths on their way into a system call: copied, NUL-terminated, into memory with a known address. */
import { Name } from '../server/name.ts';
import { allocate } from './memory.ts';

/** A `Name`, bytes, or a string (UTF-8). */
export type PathLike = Name | Uint8Array | string;

// Longer than PATH_MAX, so that what is cut off here is too long for the kernel already (ENAMETOOLONG).
const size = 8192;

/** Two, for the calls that take two paths. */
const slots = [allocate(size), allocate(size)] as const;

/** The address of `path`, good until the next call that uses the same slot. Throws where a NUL byte would cut the path short. */
export function pathAddress(path: PathLike, slot: 0 | 1 = 0): number {
  const { buffer, address } = slots[slot];
  let length: number;
  if (path instanceof Name) {
    length = Math.min(path.end - path.start, size - 1);
    const { bytes, start } = path;
    for (let at = 0; at < length; at++) buffer[at] = bytes[start + at]!;
  } else if (typeof path === 'string') {
    length = buffer.write(path, 0, size - 1, 'utf8');
  } else {
    length = Math.min(path.length, size - 1);
    buffer.set(length === path.length ? path : path.subarray(0, length), 0);
  }
  buffer[length] = 0;
  if (!(path instanceof Name) && buffer.indexOf(0) < length) {
    throw Object.assign(new Error('Cannot use a path with a NUL byte in it (EINVAL)'), { code: 'EINVAL', errno: -22 });
  }
  return address;
}
