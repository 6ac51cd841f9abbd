/** What an upper directory says of a name: `ino` 0 is a whiteout. */
export interface DirectoryEntry {
  readonly name: string;
  /** Its place in the listing; never used twice in a directory, the same after a remount. */
  readonly seq: number;
  ino: number;
  removed: boolean;
}

/**
 * The names of an upper directory, by name and in the order of a listing. A reader that comes back with the `seq` of the last
 * entry it saw goes on right behind it, whatever was added or removed meanwhile.
 */
export class DirectoryEntries {
  readonly #byName = new Map<string, DirectoryEntry>();
  /** Sorted by `seq`; removed ones stay until they are half of it, so that removing is cheap. */
  #listing: DirectoryEntry[] = [];
  #removed = 0;
  #nextSeq = 1;
  #visible = 0;

  /** The `seq` that a name gets when it is set: its own, or the next one. */
  seqFor(name: string): number {
    return this.#byName.get(name)?.seq ?? this.#nextSeq;
  }

  /** Entries that are not whiteouts. */
  get visible(): number {
    return this.#visible;
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): DirectoryEntry | undefined {
    return this.#byName.get(name);
  }

  set(name: string, ino: number, seq: number): void {
    const known = this.#byName.get(name);
    if (known) {
      this.#visible += Number(ino !== 0) - Number(known.ino !== 0);
      known.ino = ino;
      return;
    }
    const entry = { name, seq, ino, removed: false };
    this.#byName.set(name, entry);
    this.#listing.push(entry);
    if (ino !== 0) this.#visible++;
    this.#nextSeq = Math.max(this.#nextSeq, seq + 1);
  }

  delete(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    entry.removed = true;
    if (entry.ino !== 0) this.#visible--;
    this.#removed++;
    if (this.#removed > 32 && this.#removed * 2 > this.#listing.length) {
      this.#listing = this.#listing.filter((each) => !each.removed);
      this.#removed = 0;
    }
  }

  values(): Iterable<DirectoryEntry> {
    return this.#byName.values();
  }

  /** Entries with a `seq` above the given one, in order; stops when `visit` returns false. */
  listFrom(seq: number, visit: (entry: DirectoryEntry) => boolean): boolean {
    const listing = this.#listing;
    let low = 0;
    let high = listing.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (listing[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < listing.length; at++) {
      const entry = listing[at]!;
      if (!entry.removed && entry.ino !== 0 && !visit(entry)) return false;
    }
    return true;
  }
}
