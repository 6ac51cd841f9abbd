/** The kernel's own transport: a descriptor of /dev/fuse that a mount was made with. */
import { close, setNonblocking } from '../sys/files.ts';
import { readFd, writeFd } from '../sys/io.ts';
import { createPipe, spliceFromFile, spliceToFd, type Pipe } from '../sys/splice.ts';
import type { Transport } from './transport.ts';

/** The largest payload, its header, and a page for each end that is not aligned. */
const pipeSize = 1 << 20;
const pageSize = 4096;

/** Replies are sent one at a time, so one pipe serves every mount of the process. */
let pipe: Pipe | undefined;

export class DevFuse implements Transport {
  readonly fd: number;

  /** Takes over the descriptor: makes it nonblocking, closes it in `close`. */
  constructor(fd: number) {
    this.fd = fd;
    setNonblocking(fd);
  }

  receive(address: number, size: number): number {
    return readFd(this.fd, address, size);
  }

  send(address: number, length: number): number {
    return writeFd(this.fd, address, length);
  }

  sendFile(header: number, headerLength: number, fd: number, offset: number, length: number): number | undefined {
    pipe ??= openPipe();
    // Each page takes a place of its own, and so does the header.
    if (pipe === undefined || length + 3 * pageSize > pipe.capacity) return undefined;
    const total = headerLength + length;
    if (writeFd(pipe.writeEnd, header, headerLength) !== headerLength) return discardPipe();
    for (let done = 0; done < length;) {
      const moved = spliceFromFile(fd, offset + done, pipe, length - done);
      if (moved <= 0) return discardPipe();
      done += moved;
    }
    const sent = spliceToFd(pipe, this.fd, total);
    if (sent !== total) discardPipe();
    return sent;
  }

  close(): void {
    close(this.fd);
  }
}

function openPipe(): Pipe | undefined {
  const opened = createPipe(pipeSize);
  return typeof opened === 'number' ? undefined : opened;
}

/** A pipe with the rest of a message in it is of no use. */
function discardPipe(): undefined {
  if (pipe === undefined) return;
  close(pipe.readEnd);
  close(pipe.writeEnd);
  pipe = undefined;
}
