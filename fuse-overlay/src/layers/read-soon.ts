/** Reading files without ever waiting for a disk, so that one slow read holds up no other request. */
import { NOT_YET, type ReadRoom } from '../server/file-system.ts';
import { errno } from '../sys/errors.ts';
import { preadCached, preadFully, willNeed } from '../sys/io.ts';

/** Attempts after which reading ahead is started again, and after which the read just waits. */
const restart = 200;
const patience = 2000;

/**
 * Reads `length` bytes, fewer only at the end of the file; or gives `NOT_YET` when they are not in the page cache, which they
 * are then on their way to. `attempt` counts the calls for one request. On file systems that cannot tell what is cached it waits.
 */
export function readSoon(fd: number, address: number, length: number, offset: number, attempt: number): number {
  const done = preadCached(fd, address, length, offset);
  if (done === length) return done;
  if (done >= 0) {
    // Fewer: the end of the file, or the end of what is cached.
    const more = preadCached(fd, address + done, length - done, offset + done);
    if (more === 0) return done;
    if (more === length - done) return length;
  }
  const canTell = done >= 0 || done === -errno.EAGAIN;
  if (!canTell || attempt >= patience) return preadFully(fd, address, length, offset);
  // Memory may be short, and what was read ahead be gone again: then it is asked for once more.
  if (attempt % restart === 0) willNeed(fd, offset, length);
  return NOT_YET;
}

/** From this length on `replyFromFile` leaves the copying to the server, which may not need to. */
export const longRead = 16384;

/** Answers a READ from a file of `size` bytes: the number of bytes, `NOT_YET`, or a negative errno. */
export function replyFromFile(fd: number, size: number, offset: number, out: ReadRoom, attempt: number): number {
  const length = Math.min(out.length, size - offset);
  if (length <= 0) return 0;
  if (length < longRead) return readSoon(fd, out.address, length, offset, attempt);
  // A long stretch is there when its last byte is: the rest was read ahead before it.
  const last = readSoon(fd, out.address, 1, offset + length - 1, attempt);
  return last === 1 ? out.fromFile(fd, offset, length) : last;
}
