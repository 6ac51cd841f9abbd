/** epoll(7). */
import { bind, bindAsync, check } from './libc.ts';
import { allocate } from './memory.ts';
import { close } from './files.ts';

const c = {
  epollCreate1: bind('epoll_create1', 'int', ['int']),
  epollCtl: bind('epoll_ctl', 'int', ['int', 'int', 'int', 'pointer']),
  epollWait: bind('epoll_wait', 'int', ['int', 'pointer', 'int', 'int']),
  epollWaitAsync: bindAsync('epoll_wait', 'int', ['int', 'pointer', 'int', 'int']),
  eventfd: bind('eventfd', 'int', ['u32', 'int']),
};

export const EPOLLIN = 1;

const EPOLL_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EINTR = 4;

/** `struct epoll_event` is packed on x86-64 only (sys/epoll.h). */
const layout = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };

const change = allocate(16);
const batch = 64;

export class Epoll {
  readonly #fd: number;
  readonly #events = allocate(layout.size * batch);

  constructor() {
    this.#fd = check(c.epollCreate1(EPOLL_CLOEXEC));
    if (this.#fd < 0) throw new Error(`Cannot create an epoll descriptor (errno ${-this.#fd})`);
  }

  /** Watches `fd`, level-triggered. */
  add(fd: number, events: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, events);
  }

  modify(fd: number, events: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, events);
  }

  remove(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** Waits up to `timeout` ms (-1: for ever); returns how many descriptors are ready, 0 also when a signal came. */
  wait(timeout: number): number {
    const count = check(c.epollWait(this.#fd, this.#events.address, batch, timeout));
    return count === -EINTR ? 0 : count;
  }

  /** As `wait`, on a thread of Node's pool. */
  async waitAsync(timeout: number): Promise<number> {
    return Math.max(await c.epollWaitAsync(this.#fd, this.#events.address, batch, timeout), 0);
  }

  /** Descriptor of the ready event at `index`. */
  readyFd(index: number): number {
    return this.#events.buffer.readInt32LE(index * layout.size + layout.data);
  }

  /** Bits of the ready event (EPOLLIN 1, EPOLLOUT 4, EPOLLERR 8, EPOLLHUP 16) at `index`. */
  readyEvents(index: number): number {
    return this.#events.buffer.readUInt32LE(index * layout.size);
  }

  close(): void {
    close(this.#fd);
  }

  #control(operation: number, fd: number, events: number): number {
    change.buffer.writeUInt32LE(events, 0);
    change.buffer.writeBigInt64LE(BigInt(fd), layout.data);
    return check(c.epollCtl(this.#fd, operation, fd, change.address));
  }
}

/** A descriptor that becomes readable when something is written to it (eventfd(2)), nonblocking. */
export function createEventFd(): number {
  return check(c.eventfd(0, EFD_NONBLOCK | EPOLL_CLOEXEC));
}
