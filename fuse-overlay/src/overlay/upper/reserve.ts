/**
 * Room on disk that is kept for getting rid of things. A removal has to be journaled like any other change, so on a full disk
 * nothing could be removed any more; a file of this size gives its room to the journal then.
 */
import { checked, errno } from '../../sys/errors.ts';
import { close, openAt } from '../../sys/files.ts';
import { fallocate, pwrite, seek, truncate } from '../../sys/io.ts';
import { allocate } from '../../sys/memory.ts';
import { AT_FDCWD, O_CREAT, O_RDWR } from '../../sys/open-flags.ts';

/** The reserve grows and shrinks by this many bytes. */
const step = 128 * 1024;
const SEEK_END = 2;

let zeros: ReturnType<typeof allocate> | undefined;

export class Reserve {
  readonly #fd: number;
  #size: number;

  constructor(path: string) {
    this.#fd = checked(openAt(AT_FDCWD, path, O_RDWR | O_CREAT, 0o600), 'open', `open ${path}`, path);
    this.#size = Math.max(0, seek(this.#fd, 0, SEEK_END));
  }

  get size(): number {
    return this.#size;
  }

  /** Makes it at least so large. A negative errno when there is no room. */
  ensure(size: number): number {
    while (this.#size < size) {
      const result = this.#grow();
      if (result < 0) return result;
      this.#size += step;
    }
    return 0;
  }

  /** Gives some of it away; false when nothing was left. */
  give(): boolean {
    if (this.#size === 0) return false;
    this.#size = Math.max(0, this.#size - step);
    return truncate(this.#fd, this.#size) === 0;
  }

  giveAll(): void {
    this.#size = 0;
    truncate(this.#fd, 0);
  }

  close(): void {
    close(this.#fd);
  }

  #grow(): number {
    const result = fallocate(this.#fd, 0, this.#size, step);
    if (result !== -errno.EOPNOTSUPP) {
      if (result < 0) truncate(this.#fd, this.#size);
      return result;
    }
    zeros ??= allocate(step);
    const written = pwrite(this.#fd, zeros.address, step, this.#size);
    if (written === step) return 0;
    truncate(this.#fd, this.#size);
    return written < 0 ? written : -errno.ENOSPC;
  }
}
