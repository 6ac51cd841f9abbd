import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK = 256 * 1024;

/**
 * A file that somebody else is still appending to, and as much of it as is there. Writer and reader meet in the page cache: no
 * buffer changes hands between threads.
 */
export class GrowingFile {
  readonly #path: string;
  #available = 0;
  #isComplete = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  /** Bytes that the reader has taken. */
  position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** So many bytes are there now. */
  grow(available: number): void {
    this.#available = Math.max(this.#available, available);
    this.#wake?.();
  }

  /** No more will come. */
  complete(): void {
    this.#isComplete = true;
    this.#wake?.();
  }

  /** The writer gave up: the reader gets this error. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#wake?.();
  }

  /** The content from the start, waiting for what is not there yet. */
  async *read(): AsyncGenerator<Buffer> {
    await this.#growth();
    if (this.#available === 0) return;
    const fd = openSync(this.#path, 'r');
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure as Error;
        const wanted = Math.min(CHUNK, this.#available - this.position);
        if (wanted > 0) {
          const chunk = Buffer.allocUnsafeSlow(wanted);
          const length = readSync(fd, chunk, 0, wanted, this.position);
          if (length === 0) throw new Error(`${this.#path} is shorter than it was`);
          this.position += length;
          yield chunk.subarray(0, length);
        } else if (this.#isComplete) return;
        else await this.#growth();
      }
    } finally {
      closeSync(fd);
    }
  }

  async #growth(): Promise<void> {
    while (this.#available <= this.position && !this.#isComplete && this.#failure === undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = (): void => resolve(undefined);
      await promise;
    }
  }
}
