/** Bytes that were received and not taken yet: chunks, each copied once. */

/** Small arrivals share a chunk of this size, so that a thousand one-byte segments do not cost a thousand objects. */
const CHUNK = 16_384;

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** First chunk that still holds bytes, and the position in it. */
  #first = 0;
  #start = 0;
  /** Bytes used of the last chunk. */
  #end = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array, start: number, length: number): void {
    let from = start;
    const until = start + length;
    while (from < until) {
      let last = this.#chunks.at(-1);
      if (last === undefined || this.#end === last.length) {
        last = new Uint8Array(Math.max(CHUNK, until - from));
        this.#chunks.push(last);
        this.#end = 0;
      }
      const part = Math.min(last.length - this.#end, until - from);
      last.set(bytes.subarray(from, from + part), this.#end);
      this.#end += part;
      from += part;
    }
    this.#length += length;
  }

  /** Offers what is queued, chunk by chunk, until `take` takes less than offered, or clears the queue. */
  drain(take: (bytes: Uint8Array, start: number, length: number) => number): void {
    while (this.#length > 0) {
      const chunk = this.#chunks[this.#first]!;
      const end = this.#first === this.#chunks.length - 1 ? this.#end : chunk.length;
      const taken = take(chunk, this.#start, end - this.#start);
      if (this.#chunks[this.#first] !== chunk) return;
      this.#length -= taken;
      this.#start += taken;
      if (this.#start < end) break;
      this.#first++;
      this.#start = 0;
    }
    if (this.#length === 0) this.clear();
    else if (this.#first > 32) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#start = 0;
    this.#end = 0;
    this.#length = 0;
  }
}
