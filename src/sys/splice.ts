import { native, lastErrno } from './koffi.ts';
import { ERRNO, systemError } from './system-error.ts';

const splice = native('splice', 'long', ['int', 'void *', 'int', 'void *', 'size_t', 'uint']);

const SPLICE_F_NONBLOCK = 2;

/**
 * splice(2): moves up to `size` bytes from a pipe, terminal or socket to a pipe or file. One end is a pipe. What was moved
 * is gone from the one and in the other, whenever the process is killed. A file is written at `offset`.
 * Returns the number of bytes, 0 at the end of file, -1 where there is nothing now.
 */
export function moveBytes(from: number, to: number, size: number, offset?: number): number {
  const position = offset === undefined ? null : Buffer.alloc(8);
  position?.writeBigInt64LE(BigInt(offset!));
  const moved = splice(from, null, to, position, size, SPLICE_F_NONBLOCK);
  if (moved !== -1) return moved;
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return -1;
  throw systemError(errno, 'splice');
}
