/** What the peer has beyond the acknowledged: disjoint ascending ranges from its SACK blocks (RFC 2018, 6675). */
import { before, distance, earlier, later } from './sequence.ts';

/** A hostile peer can make no more ranges than this; further blocks are ignored, which only costs retransmissions. */
const MAX_RANGES = 1024;

interface Range {
  start: number;
  end: number;
}

export class Scoreboard {
  #ranges: Range[] = [];
  /** Bytes in all ranges. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** The end of the last range; `una` when there is none. */
  highest(una: number): number {
    return this.#ranges.at(-1)?.end ?? una;
  }

  /** Adds a block; returns whether it told anything new. */
  add(start: number, end: number): boolean {
    const ranges = this.#ranges;
    let first = 0;
    while (first < ranges.length && before(ranges[first]!.end, start)) first++;
    let last = first;
    const merged: Range = { start, end };
    let known = 0;
    while (last < ranges.length && !before(end, ranges[last]!.start)) {
      const range = ranges[last]!;
      merged.start = earlier(merged.start, range.start);
      merged.end = later(merged.end, range.end);
      known += distance(range.end, range.start);
      last++;
    }
    const fresh = distance(merged.end, merged.start) - known;
    if (fresh === 0 || (last === first && ranges.length >= MAX_RANGES)) return false;
    ranges.splice(first, last - first, merged);
    this.bytes += fresh;
    return true;
  }

  /** Forgets what lies before `una`. */
  advance(una: number): void {
    const ranges = this.#ranges;
    let gone = 0;
    for (const range of ranges) {
      if (!before(range.start, una)) break;
      const cut = earlier(range.end, una);
      this.bytes -= distance(cut, range.start);
      range.start = cut;
      if (range.start !== range.end) break;
      gone++;
    }
    if (gone > 0) ranges.splice(0, gone);
  }

  /** The first stretch at or after `from` that the peer lacks, as [start, end); it ends at `limit` at the latest. */
  hole(from: number, limit: number): { start: number; end: number } | undefined {
    let start = from;
    for (const range of this.#ranges) {
      if (!before(start, range.end)) continue;
      if (before(start, range.start))
        return before(start, limit) ? { start, end: earlier(range.start, limit) } : undefined;
      start = range.end;
    }
    return before(start, limit) ? { start, end: limit } : undefined;
  }

  /** Bytes in [from, to) that the peer lacks. */
  missing(from: number, to: number): number {
    if (!before(from, to)) return 0;
    let missing = distance(to, from);
    for (const { start, end } of this.#ranges) {
      const overlap = distance(earlier(end, to), later(start, from));
      if (overlap > 0) missing -= overlap;
    }
    return missing;
  }

  /** Whether the byte at `sequence` is covered. */
  has(sequence: number): boolean {
    return this.#ranges.some(({ start, end }) => !before(sequence, start) && before(sequence, end));
  }

  clear(): void {
    this.#ranges = [];
    this.bytes = 0;
  }
}
