/**
 * Segments that arrived ahead of a gap: copies, ascending, without overlap. veth pairs reorder by themselves (one backlog for each
 * CPU), so a stack that drops such segments falls to 1 % of its throughput.
 */
import { MAX_SACK_BLOCKS } from '../wire/tcp.ts';
import { advance, before, distance } from './sequence.ts';

/** Chunks of one connection. A peer that sends many tiny ones loses them beyond this, and sends them again. */
const MAX_CHUNKS = 2048;

interface Chunk {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export class OutOfOrder {
  readonly #chunks: Chunk[] = [];
  /** Where the latest arrival lies: its block is reported first (RFC 2018, 4). */
  #latest = 0;
  /** Bytes held. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Keeps what is new of a segment; returns how many bytes were added. */
  add(sequence: number, bytes: Uint8Array, start: number, length: number): number {
    const chunks = this.#chunks;
    this.#latest = sequence;
    let added = 0;
    let from = sequence;
    const end = advance(sequence, length);
    // Most arrivals go to the end.
    let index = chunks.length;
    while (index > 0 && before(from, endOf(chunks[index - 1]!))) index--;
    while (before(from, end) && chunks.length < MAX_CHUNKS) {
      const next = chunks[index];
      if (next !== undefined && !before(from, next.sequence)) {
        if (before(from, endOf(next))) from = endOf(next);
        index++;
        continue;
      }
      const until = next !== undefined && before(next.sequence, end) ? next.sequence : end;
      const offset = start + distance(from, sequence);
      const size = distance(until, from);
      chunks.splice(index, 0, { sequence: from, bytes: bytes.slice(offset, offset + size) });
      added += size;
      from = until;
      index++;
    }
    this.bytes += added;
    return added;
  }

  /** Removes and returns the chunk that continues the stream at `next`, cut to what is new; undefined when there is a gap. */
  take(next: number): Uint8Array | undefined {
    for (let first = this.#chunks[0]; first !== undefined && !before(next, first.sequence); first = this.#chunks[0]) {
      this.#chunks.shift();
      this.bytes -= first.bytes.length;
      const known = distance(next, first.sequence);
      if (known < first.bytes.length) return first.bytes.subarray(known);
    }
    return undefined;
  }

  /** SACK blocks (left, right, …), the one with the latest arrival first, then the nearest to the gap. */
  blocks(): number[] {
    const ranges: [number, number][] = [];
    for (const chunk of this.#chunks) {
      const last = ranges.at(-1);
      if (last?.[1] === chunk.sequence) last[1] = endOf(chunk);
      else ranges.push([chunk.sequence, endOf(chunk)]);
    }
    const recent = ranges.findIndex(([left, right]) => !before(this.#latest, left) && before(this.#latest, right));
    if (recent > 0) ranges.unshift(...ranges.splice(recent, 1));
    return ranges.slice(0, MAX_SACK_BLOCKS).flat();
  }

  clear(): void {
    this.#chunks.length = 0;
    this.bytes = 0;
  }
}

function endOf(chunk: Chunk): number {
  return advance(chunk.sequence, chunk.bytes.length);
}
