/** One accepted connection that carries JSON lines, on the network process's own event loop. */
import { closeSync, readSync, writeSync } from 'node:fs';
import { EPOLL, type EventLoop, type Watch } from 'netstack';
import { errorCode } from '../../base/error-code.ts';

/** A line longer than this is no request of ours: all endpoints of a large network fit. */
const maxLine = 16 * 1024 * 1024;
/** A peer that does not read its replies is cut off beyond this. */
const maxUnsent = 16 * 1024 * 1024;

export class LineConnection {
  readonly #fd: number;
  readonly #onLine: (line: string) => void;
  readonly #onClose: () => void;
  readonly #watch: Watch;
  readonly #chunk = Buffer.alloc(65536);
  #received: Buffer[] = [];
  #receivedLength = 0;
  #unsent: Buffer = Buffer.alloc(0);
  #open = true;

  /** Takes the non-blocking fd over. */
  constructor(loop: EventLoop, fd: number, onLine: (line: string) => void, onClose: () => void) {
    this.#fd = fd;
    this.#onLine = onLine;
    this.#onClose = onClose;
    this.#watch = loop.watch(fd, EPOLL.IN | EPOLL.RDHUP, (events) => this.#serve(events));
  }

  /** Sends a line; one that does not fit the socket's buffer waits here. */
  send(line: string): void {
    if (!this.#open) return;
    this.#unsent = Buffer.concat([this.#unsent, Buffer.from(`${line}\n`)]);
    this.#flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    closeSync(this.#fd);
    this.#onClose();
  }

  #serve(events: number): void {
    if ((events & EPOLL.OUT) !== 0) this.#flush();
    if ((events & (EPOLL.IN | EPOLL.RDHUP | EPOLL.HUP | EPOLL.ERR)) !== 0) this.#receive();
  }

  #receive(): void {
    if (!this.#open) return;
    let length;
    try {
      length = readSync(this.#fd, this.#chunk);
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') this.close();
      return;
    }
    if (length === 0) return this.close();
    this.#received.push(Buffer.from(this.#chunk.subarray(0, length)));
    this.#receivedLength += length;
    if (this.#chunk.subarray(0, length).includes(0x0a)) this.#takeLines();
    if (this.#receivedLength > maxLine) this.close();
  }

  #takeLines(): void {
    const bytes = Buffer.concat(this.#received);
    let start = 0;
    for (let end; (end = bytes.indexOf(0x0a, start)) >= 0; start = end + 1) {
      if (this.#open) this.#onLine(bytes.toString('utf8', start, end));
    }
    this.#received = [bytes.subarray(start)];
    this.#receivedLength = bytes.length - start;
  }

  #flush(): void {
    if (!this.#open) return;
    try {
      while (this.#unsent.length > 0) this.#unsent = this.#unsent.subarray(writeSync(this.#fd, this.#unsent));
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') return this.close();
      if (this.#unsent.length > maxUnsent) return this.close();
    }
    this.#watch.modify(EPOLL.IN | EPOLL.RDHUP | (this.#unsent.length > 0 ? EPOLL.OUT : 0));
  }
}
