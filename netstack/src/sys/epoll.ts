/** epoll(7). The event struct is packed on x86-64 only (linux/eventpoll.h: EPOLL_PACKED). */
import { ERRNO } from './errno.ts';
import { addressOf, check, errno, libc, systemError } from './libc.ts';

export const EPOLL = {
  IN: 0x1,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  RDHUP: 0x2000,
  ET: 0x80000000,
} as const;

const CONTROL = { ADD: 1, DEL: 2, MOD: 3 } as const;
const EPOLL_CLOEXEC = 0x80000;

const EVENT =
  process.arch === 'x64'
    ? ({ size: 12, events: 0, tag: 4, tagHigh: 8 } as const)
    : ({ size: 16, events: 0, tag: 8, tagHigh: 12 } as const);

/** One epoll instance. Each registration carries two 32-bit tags that come back with its events. */
export class Epoll {
  readonly #fd = check(libc.epollCreate(EPOLL_CLOEXEC), 'epoll_create1', 'Cannot create an epoll instance');
  readonly #capacity: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #address: number;
  readonly #single = new Uint8Array(EVENT.size);
  readonly #singleView = new DataView(this.#single.buffer);
  readonly #singleAddress = addressOf(this.#single);

  constructor(capacity = 256) {
    this.#capacity = capacity;
    this.#bytes = new Uint8Array(EVENT.size * capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#address = addressOf(this.#bytes);
  }

  add(fd: number, events: number, tag: number, tagHigh: number): void {
    this.#control(CONTROL.ADD, fd, events, tag, tagHigh);
  }

  modify(fd: number, events: number, tag: number, tagHigh: number): void {
    this.#control(CONTROL.MOD, fd, events, tag, tagHigh);
  }

  delete(fd: number): void {
    this.#control(CONTROL.DEL, fd, 0, 0, 0);
  }

  /** Waits at most `timeout` ms (-1: for ever) and returns how many events are there to be read. */
  wait(timeout: number): number {
    const count = libc.epollWait(this.#fd, this.#address, this.#capacity, timeout);
    if (count >= 0) return count;
    if (errno() === ERRNO.EINTR) return 0;
    throw systemError('epoll_wait', 'Cannot wait for events');
  }

  events(index: number): number {
    return this.#view.getUint32(index * EVENT.size + EVENT.events, true);
  }

  tag(index: number): number {
    return this.#view.getUint32(index * EVENT.size + EVENT.tag, true);
  }

  tagHigh(index: number): number {
    return this.#view.getUint32(index * EVENT.size + EVENT.tagHigh, true);
  }

  #control(operation: number, fd: number, events: number, tag: number, tagHigh: number): void {
    this.#singleView.setUint32(EVENT.events, events, true);
    this.#singleView.setUint32(EVENT.tag, tag, true);
    this.#singleView.setUint32(EVENT.tagHigh, tagHigh, true);
    check(
      libc.epollControl(this.#fd, operation, fd, this.#singleAddress),
      'epoll_ctl',
      `Cannot watch descriptor ${fd}`,
    );
  }
}
