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

/** struct epoll_event is packed on x86-64 alone: u32 events, u64 data. */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
const MAX_EVENTS = 64;

export class Poller {
  readonly #epoll = check(epollCreate(EPOLL_CLOEXEC), 'epoll_create1');
  readonly #wake = check(eventfd(0, EPOLL_CLOEXEC), 'eventfd');
  readonly #callbacks = new Map<number, () => void>();
  readonly #events = Buffer.alloc(EVENT.size * MAX_EVENTS);
  #waiting = false;
  #closed = false;

  constructor() {
    this.#control(EPOLL_CTL.ADD, this.#wake, EPOLLIN);
  }

  /**
   * Calls back each time that the fd is readable or hung up, once for each readiness: the callback is not called again
   * before it has returned. Watching keeps the process alive. Unwatch before closing the fd.
   */
  watch(fd: number, callback: () => void): void {
    this.#callbacks.set(fd, callback);
    this.#control(EPOLL_CTL.ADD, fd, EPOLLIN | EPOLLONESHOT);
    this.#wait();
  }

  unwatch(fd: number): void {
    if (!this.#callbacks.delete(fd)) return;
    this.#control(EPOLL_CTL.DEL, fd, 0);
    // The thread would wait for ever, and keep the process alive, for nothing.
    if (this.#callbacks.size === 0) check(eventfdWrite(this.#wake, 1), 'eventfd_write');
  }

  /** Ends the waiting thread, so that the process can exit. */
  close(): void {
    this.#closed = true;
    this.#callbacks.clear();
    if (this.#waiting) check(eventfdWrite(this.#wake, 1), 'eventfd_write');
    else this.#dispose();
  }

  #wait(): void {
    if (this.#waiting || this.#closed || this.#callbacks.size === 0) return;
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
    for (let i = 0; i < count; i++) ready.push(this.#events.readUInt32LE(i * EVENT.size + EVENT.data));
    for (const fd of ready) {
      if (fd === this.#wake) {
        // Left readable it would spin; arming it again after this read is not needed, it is level-triggered.
        this.#drainWake();
        continue;
      }
      const callback = this.#callbacks.get(fd);
      if (callback === undefined) continue;
      callback();
      if (this.#callbacks.get(fd) === callback) this.#control(EPOLL_CTL.MOD, fd, EPOLLIN | EPOLLONESHOT);
    }
  }

  #drainWake(): void {
    eventfdRead(this.#wake, Buffer.alloc(8));
  }

  #control(operation: number, fd: number, events: number): void {
    const event = Buffer.alloc(EVENT.size);
    event.writeUInt32LE(events >>> 0, 0);
    event.writeUInt32LE(fd, EVENT.data);
    check(epollCtl(this.#epoll, operation, fd, event), 'epoll_ctl');
  }

  #dispose(): void {
    closeSync(this.#epoll);
    closeSync(this.#wake);
  }
}

const eventfdRead = native('eventfd_read', 'int', ['int', 'void *']);
