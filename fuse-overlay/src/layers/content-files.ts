/** Open files of a content store, the most recently used ones kept open. */
import { close, openAt } from '../sys/files.ts';
import { O_NOFOLLOW, O_RDONLY } from '../sys/open-flags.ts';
import { contentPath } from './content-store.ts';

/** Soft limits of open files are 1024 on most systems, and one process may serve many trees. */
const defaultLimit = 256;

export class ContentFiles {
  readonly #directory: number;
  readonly #limit: number;
  /** By the caller's number of the content; a Map keeps the order of insertion, so its first key is the oldest. */
  readonly #open = new Map<number, number>();
  #lastKey = -1;
  #lastFd = -1;

  /** `directory`: descriptor of the store's directory, which stays the caller's. */
  constructor(directory: number, limit: number = defaultLimit) {
    this.#directory = directory;
    this.#limit = limit;
  }

  /** A descriptor for the content with this id, cached under `key`; or a negative errno. Not to be closed by the caller. */
  get(key: number, id: Uint8Array): number {
    if (key === this.#lastKey) return this.#lastFd;
    let fd = this.#open.get(key);
    if (fd === undefined) {
      fd = this.openNew(id);
      if (fd < 0) return fd;
      if (this.#open.size >= this.#limit) this.#closeOldest();
    } else this.#open.delete(key);
    this.#open.set(key, fd);
    this.#lastKey = key;
    this.#lastFd = fd;
    return fd;
  }

  /** A descriptor of the caller's own. */
  openNew(id: Uint8Array): number {
    return openAt(this.#directory, contentPath(id), O_RDONLY | O_NOFOLLOW);
  }

  close(): void {
    for (const fd of this.#open.values()) close(fd);
    this.#open.clear();
    this.#lastKey = -1;
  }

  #closeOldest(): void {
    for (const [key, fd] of this.#open) {
      this.#open.delete(key);
      close(fd);
      return;
    }
  }
}
