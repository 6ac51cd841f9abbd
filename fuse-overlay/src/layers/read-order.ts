/**
 * Remembers which contents are read first after a mount, and reads them ahead after the next one, in that order: programs read
 * the same files at each start, one after the other, each waiting for the disk. Read ahead they come in parallel.
 *
 * The order is kept in a file beside the index: u32 pairs of a content's number and how many pages of it were read. It is a
 * hint: a missing or damaged file means no reading ahead, and nothing that it says can do more than that.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** The part of an image tree that this needs. */
export interface Contents {
  /** Starts reading the first `length` bytes of a content into the page cache. */
  willNeed(content: number, length: number): void;
}

/** How long after the first read, in milliseconds, and how many contents are remembered. */
const window = 15_000;
const contentLimit = 4096;
const pageSize = 4096;
/** Read ahead of one content, and of all. */
const lengthLimit = 8 << 20;
const totalLimit = 256 << 20;
/** Contents for one call of `prefetch`: some 100 us. */
const piece = 8;

export class ReadOrder {
  readonly #path: string;
  readonly #contents: Contents;
  /** Pages by content, in the order of the first read; undefined when nothing is remembered any more. */
  #seen: Map<number, number> | undefined = new Map();
  #since = 0;
  #ahead: [content: number, length: number][];

  constructor(path: string, contents: Contents) {
    this.#path = path;
    this.#contents = contents;
    this.#ahead = load(path).reverse();
  }

  /** A content was read up to `end`. */
  note(content: number, end: number): void {
    if (this.#seen === undefined) return;
    const now = performance.now();
    if (this.#seen.size === 0) this.#since = now;
    if (now - this.#since > window || this.#seen.size >= contentLimit) {
      this.save();
      return;
    }
    const pages = Math.min(Math.ceil(end / pageSize), 0xffffffff);
    if (pages > (this.#seen.get(content) ?? 0)) this.#seen.set(content, pages);
  }

  /** Starts reading the next few contents ahead; false when all are under way. */
  prefetch(): boolean {
    for (let left = piece; left > 0; left--) {
      const next = this.#ahead.pop();
      if (next === undefined) return false;
      this.#contents.willNeed(...next);
    }
    return true;
  }

  /** Writes down what was seen, and looks no more. */
  save(): void {
    const seen = this.#seen;
    this.#seen = undefined;
    if (seen === undefined || seen.size === 0) return;
    const bytes = Buffer.alloc(seen.size * 8);
    let at = 0;
    for (const [content, pages] of seen) {
      at = bytes.writeUInt32LE(content, at);
      at = bytes.writeUInt32LE(pages, at);
    }
    try {
      // Not synced: that could take long, and a hint may be lost.
      const temporary = `${this.#path}.${process.pid}.tmp`;
      writeFileSync(temporary, bytes);
      renameSync(temporary, this.#path);
    } catch {
      // A hint that cannot be written (full disk, read-only store) is one that the next mount does without.
    }
  }
}

function load(path: string): [content: number, length: number][] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return [];
  }
  const order: [number, number][] = [];
  let total = 0;
  for (let at = 0; at + 8 <= bytes.length && order.length < contentLimit; at += 8) {
    const length = Math.min(bytes.readUInt32LE(at + 4) * pageSize, lengthLimit);
    total += length;
    if (total > totalLimit) break;
    order.push([bytes.readUInt32LE(at), length]);
  }
  return order;
}
