/** Limits of a writable layer; a missing one is no limit. */
export interface QuotaLimits {
  /** Bytes that contents may take on disk. */
  readonly size?: number;
  /** Files, directories and whatever else the layer keeps an inode for. */
  readonly inodes?: number;
}

/** Counts what a writable layer takes. Space is in blocks of 512 bytes, as the backing file system reports it. */
export class Quota {
  #maxBlocks = Infinity;
  #maxInodes = Infinity;
  blocks = 0;

  /** May be called at any time; what is there already stays, even above the limit. */
  limit(limits: QuotaLimits): void {
    this.#maxBlocks = limits.size === undefined ? Infinity : Math.floor(limits.size / 512);
    this.#maxInodes = limits.inodes ?? Infinity;
  }

  get maxBlocks(): number {
    return this.#maxBlocks;
  }

  get maxInodes(): number {
    return this.#maxInodes;
  }

  hasBlocks(more: number): boolean {
    return this.blocks + more <= this.#maxBlocks;
  }

  /** Whether there is room for one more than `count`. */
  hasInodes(count: number): boolean {
    return count < this.#maxInodes;
  }
}
