/** The kernel's own transport: a descriptor of /dev/fuse that a mount was made with. */
import { close, setNonblocking } from '../sys/files.ts';
import { readFd, writeFd } from '../sys/io.ts';
import type { Transport } from './transport.ts';

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

  close(): void {
    close(this.fd);
  }
}
