import type { LowerLayer } from '../layers/lower-layer.ts';
import type { Attributes } from '../server/attributes.ts';
import type { Name } from '../server/name.ts';
import type { LowerNodes } from './lower-nodes.ts';
import type { Change } from './upper/change.ts';

/** Of an immutable layer: its nodes are its inode numbers, the same in every process, with the root at 1. */
export class FixedLowerNodes implements LowerNodes {
  readonly layer: LowerLayer;
  // Below 2^31 a number is a small integer to V8 and fits a 32-bit program's ino_t.
  readonly firstUpper: number = 2 ** 30;
  #counts = new Int32Array(1024);

  constructor(layer: LowerLayer) {
    this.layer = layer;
  }

  lookup(directory: number, name: Name, out: Attributes): number {
    const node = this.layer.lookup(directory, name);
    if (node < 0) return node;
    const result = this.layer.getattr(node, out);
    return result < 0 ? result : node;
  }

  getattr(ino: number, out: Attributes): number {
    return this.layer.getattr(ino, out);
  }

  node(ino: number): number {
    return ino;
  }

  number(layerIno: number): number {
    return layerIno;
  }

  count(ino: number): void {
    if (ino >= this.#counts.length) {
      const larger = new Int32Array(Math.max(ino + 1, this.#counts.length * 2));
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[ino]!++;
  }

  release(ino: number, count: number): number {
    if (ino >= this.#counts.length) return -count;
    return (this.#counts[ino]! -= count);
  }

  origins(): Change[] {
    return [];
  }

  place(): undefined {
    return undefined;
  }

  remember(): void {
    // A node is its position in the index.
  }

  close(): void {
    this.layer.close();
  }
}
