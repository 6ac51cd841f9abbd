/**
 * Flows by addresses and ports. Looked up with the addresses where they stand in the packet, so that a lookup allocates
 * nothing; the hash is keyed (see keyed-hash.ts).
 */
import type { IpAddress, IpVersion } from '../wire/address.ts';
import type { KeyedHash } from './keyed-hash.ts';

export interface Flow {
  /** Our side: the address that the container talks to. */
  readonly local: IpAddress;
  readonly localPort: number;
  /** The container's side. */
  readonly remote: IpAddress;
  readonly remotePort: number;
}

interface Cell<T> {
  readonly flow: T;
  next: Cell<T> | undefined;
}

export class FlowTable<T extends Flow> {
  readonly #hash: KeyedHash;
  readonly #cells = new Map<number, Cell<T>>();
  #size = 0;

  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#size;
  }

  /** The flow of a packet that came from the remote side: its source address is at `sourceAt`. */
  find(
    view: DataView,
    version: IpVersion,
    sourceAt: number,
    sourcePort: number,
    destinationAt: number,
    destinationPort: number,
  ): T | undefined {
    const hash = this.#hash;
    hash.start();
    const length = version === 4 ? 4 : 16;
    for (let at = 0; at < length; at += 4) hash.add(view.getInt32(sourceAt + at));
    for (let at = 0; at < length; at += 4) hash.add(view.getInt32(destinationAt + at));
    hash.add((sourcePort << 16) | destinationPort);
    for (let cell = this.#cells.get(hash.finish()); cell !== undefined; cell = cell.next) {
      const { flow } = cell;
      if (
        flow.remotePort === sourcePort &&
        flow.localPort === destinationPort &&
        flow.remote.version === version &&
        flow.remote.isAt(view, sourceAt) &&
        flow.local.isAt(view, destinationAt)
      ) {
        return flow;
      }
    }
    return undefined;
  }

  has(flow: Flow): boolean {
    for (let cell = this.#cells.get(this.#hashOf(flow)); cell !== undefined; cell = cell.next)
      if (sameFlow(cell.flow, flow)) return true;
    return false;
  }

  insert(flow: T): void {
    const key = this.#hashOf(flow);
    this.#cells.set(key, { flow, next: this.#cells.get(key) });
    this.#size++;
  }

  /** Removes exactly this object; returns whether it was there. */
  delete(flow: T): boolean {
    const key = this.#hashOf(flow);
    let before: Cell<T> | undefined;
    for (let cell = this.#cells.get(key); cell !== undefined; before = cell, cell = cell.next) {
      if (cell.flow !== flow) continue;
      if (before !== undefined) before.next = cell.next;
      else if (cell.next !== undefined) this.#cells.set(key, cell.next);
      else this.#cells.delete(key);
      this.#size--;
      return true;
    }
    return false;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const first of this.#cells.values())
      for (let cell: Cell<T> | undefined = first; cell !== undefined; cell = cell.next) yield cell.flow;
  }

  #hashOf(flow: Flow): number {
    const hash = this.#hash;
    hash.start();
    for (const word of flow.remote.words) hash.add(word | 0);
    for (const word of flow.local.words) hash.add(word | 0);
    hash.add((flow.remotePort << 16) | flow.localPort);
    return hash.finish();
  }
}

function sameFlow(one: Flow, other: Flow): boolean {
  return (
    one.remotePort === other.remotePort &&
    one.localPort === other.localPort &&
    one.remote.equals(other.remote) &&
    one.local.equals(other.local)
  );
}
