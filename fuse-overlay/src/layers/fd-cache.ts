/** Open descriptors by number of what they belong to; the most recently used ones are kept, the others closed. */
import { close } from '../sys/files.ts';

export class FdCache {
  readonly #limit: number;
  /** A Map keeps the order of insertion, so its first key is the least recently used. */
  readonly #open = new Map<number, number>();
  #lastKey = -1;
  #lastFd = -1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The descriptor kept under `key`, which stays the cache's; -1 when there is none. */
  get(key: number): number {
    if (key === this.#lastKey) return this.#lastFd;
    const fd = this.#open.get(key);
    if (fd === undefined) return -1;
    this.#open.delete(key);
    this.#open.set(key, fd);
    this.#lastKey = key;
    this.#lastFd = fd;
    return fd;
  }

  /** Gives a descriptor to the cache. The one of another key may be closed for it. */
  set(key: number, fd: number): void {
    this.delete(key);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size < this.#limit) break;
      this.delete(oldest);
    }
    this.#open.set(key, fd);
    this.#lastKey = key;
    this.#lastFd = fd;
  }

  /** Closes the less recently used half, never the one used last: when the process or the system is out of descriptors. */
  shrink(): void {
    let surplus = Math.floor(this.#open.size / 2);
    for (const oldest of this.#open.keys()) {
      if (surplus-- <= 0) return;
      this.delete(oldest);
    }
  }

  delete(key: number): void {
    const fd = this.#open.get(key);
    if (fd === undefined) return;
    this.#open.delete(key);
    if (key === this.#lastKey) this.#lastKey = -1;
    close(fd);
  }

  close(): void {
    for (const key of [...this.#open.keys()]) this.delete(key);
  }
}
