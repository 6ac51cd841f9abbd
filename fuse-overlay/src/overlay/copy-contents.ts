import { errno } from '../sys/errors.ts';
import { copyFileRange, preadFully, pwrite, seek } from '../sys/io.ts';
import { allocate } from '../sys/memory.ts';

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

let memory: ReturnType<typeof allocate> | undefined;

/** Copies the first `size` bytes of a file into an empty one, holes left out. 0 or a negative errno. */
export function copyContents(from: number, to: number, size: number): number {
  for (let at = 0; at < size;) {
    const start = seek(from, at, SEEK_DATA);
    if (start === -errno.ENXIO) return 0;
    // A file system without holes to tell of (EINVAL) is one stretch of data.
    const begin = start < 0 ? at : start;
    const hole = start < 0 ? size : seek(from, begin, SEEK_HOLE);
    const end = hole < 0 ? size : Math.min(hole, size);
    const result = copyStretch(from, to, begin, end);
    if (result < 0) return result;
    at = Math.max(end, begin);
    if (begin >= size) break;
  }
  return 0;
}

function copyStretch(from: number, to: number, begin: number, end: number): number {
  let at = begin;
  while (at < end) {
    const copied = copyFileRange(from, at, to, at, end - at);
    // EXDEV, EOPNOTSUPP, EINVAL, ENOSYS: these two file systems can't; and 0 is also given for files that lie about their size.
    if (copied <= 0) return copied === -errno.ENOSPC ? copied : copyThroughMemory(from, to, at, end);
    at += copied;
  }
  return 0;
}

function copyThroughMemory(from: number, to: number, begin: number, end: number): number {
  memory ??= allocate(256 * 1024);
  const { buffer, address } = memory;
  for (let at = begin; at < end;) {
    const length = preadFully(from, address, Math.min(buffer.length, end - at), at);
    if (length <= 0) return length;
    for (let done = 0; done < length;) {
      const written = pwrite(to, address + done, length - done, at + done);
      if (written < 0) return written;
      done += written;
    }
    at += length;
  }
  return 0;
}
