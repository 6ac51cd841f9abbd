/** Files of a content store. */
import { errno } from '../sys/errors.ts';
import { openAt } from '../sys/files.ts';
import { O_NOFOLLOW, O_RDONLY } from '../sys/open-flags.ts';
import { contentPath } from './content-store.ts';
import { FdCache } from './fd-cache.ts';

/** Soft limits of open files are 1024 on most systems, and one process may serve many trees. */
const keptOpen = 128;

export class ContentFiles {
  readonly #directory: number;
  readonly #cache = new FdCache(keptOpen);

  /** `directory`: descriptor of the store's directory, which stays the caller's. */
  constructor(directory: number) {
    this.#directory = directory;
  }

  /** A descriptor for the content with this id, kept open under `key`; or a negative errno. Not the caller's to close. */
  get(key: number, id: Uint8Array): number {
    const kept = this.#cache.get(key);
    if (kept >= 0) return kept;
    let fd = this.open(id);
    if (fd === -errno.EMFILE || fd === -errno.ENFILE) {
      this.#cache.shrink();
      fd = this.open(id);
    }
    if (fd >= 0) this.#cache.set(key, fd);
    return fd;
  }

  /** A descriptor of the caller's own, or a negative errno. */
  open(id: Uint8Array): number {
    return openAt(this.#directory, contentPath(id), O_RDONLY | O_NOFOLLOW);
  }

  close(): void {
    this.#cache.close();
  }
}
