/**
 * Readiness of fds that Node's own event loop cannot watch without reading them: pipes that are spliced, sockets that
 * carry fds, pidfds. An epoll(7) instance, waited for on a thread of koffi's pool; callbacks run in the main thread.
 */
import { closeSync } from 'node:fs';
import { native, nativeAsync } from './koffi.ts';
import { check } from './system-error.ts';

const epollCreate = native('epoll_create1', 'int', ['int']);
const epollCtl = native('epoll_ctl', 'int', ['int', 'int', 'int', 'void *']);
const epollWait = nativeAsync('epoll_wait', 'int', ['int', 'void *', 'int', 'int']);
const eventfd = native('eventfd', 'int', ['uint', 'int']);
const eventfdWrite = native('eventfd_write', 'int', ['int', 'uint64_t']);

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL = { ADD: 1, DEL: 2, MOD: 3 } as const;
const EPOLLIN = 1;
const EPOLLONESHOT = 1 << 30;

/** struct epoll_event is packed on x86-64 alone: u32 events, u64 data. Ours is the fd and, above it, the watch's number. */
const EVENT = process.arch === 'x64' ? { size: 12, fd: 4, watch: 8 } : { size: 16, fd: 8, watch: 12 };
const MAX_EVENTS = 64;
/** Milliseconds until a callback that has thrown is called again. */
const PAUSE_AFTER_ERROR = 1000;

interface Watch {
  /** Tells a watch from an earlier one of another file with the same fd, whose event is still to be dispatched. */
  readonly number: number;
  readonly callback: () => void;
}

export class Poller {
  readonly #epoll = check(epollCreate(EPOLL_CLOEXEC), 'epoll_create1');
  readonly #wake = check(eventfd(0, EPOLL_CLOEXEC), 'eventfd');
  readonly #watches = new Map<number, Watch>();
  #lastNumber = 0;
  readonly #events = Buffer.alloc(EVENT.size * MAX_EVENTS);
  #waiting = false;
  #closed = false;

  constructor() {
    this.#control(EPOLL_CTL.ADD, this.#wake, EPOLLIN, 0);
  }

  /**
   * Calls back each time that the fd is readable or hung up, once for each readiness: the callback is not called again
   * before it has returned. What it throws becomes an uncaught exception; it is called again a while later, and the
   * other fds go on as ever. Watching keeps the process alive. Unwatch before closing the fd.
   */
  watch(fd: number, callback: () => void): void {
    const number = (this.#lastNumber = (this.#lastNumber + 1) >>> 0);
    this.#control(EPOLL_CTL.ADD, fd, EPOLLIN | EPOLLONESHOT, number);
    this.#watches.set(fd, { number, callback });
    this.#wait();
  }

  unwatch(fd: number): void {
    if (!this.#watches.delete(fd)) return;
    this.#control(EPOLL_CTL.DEL, fd, 0, 0);
    // The thread would wait for ever, and keep the process alive, for nothing.
    if (this.#watches.size === 0) check(eventfdWrite(this.#wake, 1), 'eventfd_write');
  }

  /** Ends the waiting thread, so that the process can exit. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watches.clear();
    if (this.#waiting) check(eventfdWrite(this.#wake, 1), 'eventfd_write');
    else this.#dispose();
  }

  #wait(): void {
    if (this.#waiting || this.#closed || this.#watches.size === 0) return;
    this.#waiting = true;
    epollWait(this.#epoll, this.#events, MAX_EVENTS, -1, (_error, count) => {
      this.#waiting = false;
      if (this.#closed) return this.#dispose();
      this.#dispatch(count);
      this.#wait();
    });
  }

  #dispatch(count: number): void {
    const ready = [];
    for (let at = 0; at < count * EVENT.size; at += EVENT.size) {
      ready.push([this.#events.readUInt32LE(at + EVENT.fd), this.#events.readUInt32LE(at + EVENT.watch)] as const);
    }
    for (const [fd, number] of ready) {
      if (this.#closed) return;
      if (fd === this.#wake) this.#drainWake();
      else this.#call(fd, number);
    }
  }

  #call(fd: number, number: number): void {
    const watch = this.#watches.get(fd);
    if (watch?.number !== number) return;
    try {
      watch.callback();
      this.#arm(fd, watch);
    } catch (error) {
      setTimeout(() => this.#arm(fd, watch), PAUSE_AFTER_ERROR).unref();
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #arm(fd: number, watch: Watch): void {
    if (this.#watches.get(fd) === watch) this.#control(EPOLL_CTL.MOD, fd, EPOLLIN | EPOLLONESHOT, watch.number);
  }

  #drainWake(): void {
    eventfdRead(this.#wake, Buffer.alloc(8));
  }

  #control(operation: number, fd: number, events: number, number: number): void {
    const event = Buffer.alloc(EVENT.size);
    event.writeUInt32LE(events >>> 0, 0);
    event.writeUInt32LE(fd, EVENT.fd);
    event.writeUInt32LE(number, EVENT.watch);
    check(epollCtl(this.#epoll, operation, fd, event), 'epoll_ctl');
  }

  #dispose(): void {
    closeSync(this.#epoll);
    closeSync(this.#wake);
  }
}

const eventfdRead = native('eventfd_read', 'int', ['int', 'void *']);
