import { rmSync } from 'node:fs';
import type { LowerLayer } from '../layers/lower-layer.ts';
import { Attributes } from '../server/attributes.ts';
import { ROOT_NODE } from '../server/file-system.ts';
import { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import type { LowerNodes, Place } from './lower-nodes.ts';
import type { Change } from './upper/change.ts';
import { Journal } from './upper/journal.ts';

interface Known {
  /** The layer's node, on which we hold one reference; 0 until it is needed. */
  node: number;
  parent: number;
  name: string;
  count: number;
}

/** `lookupWith`: `lookup` and `getattr` in one, for layers to which that is less work. */
export interface LiveLayer extends LowerLayer {
  lookupWith?(directory: number, name: Name, out: Attributes): number;
}

/** A quarter of what a number can be: inode numbers of the backing file system are cut to it. */
const numberLimit = 2 ** 51;
/** The second half is ours. */
const firstUpper = 2 ** 52;

/**
 * Of a live layer, whose nodes are numbered as they are looked up: the number is the inode number on disk, and the way to it,
 * directory and name, is kept for as long as the kernel or the journal know the number. A file (`trace`) repeats that for the
 * server that may take over; a change of it is one small append for each LOOKUP or READDIRPLUS that shows something new.
 *
 * The layer may change meanwhile. To what the upper layer has changed the union holds on by name (`Union.copyUp`): such a
 * number stands for whatever has its name in the layer. And where the file system gives the number of a deleted file to a new
 * one, that gets another number here.
 */
export class TracedLowerNodes implements LowerNodes {
  readonly layer: LiveLayer;
  readonly firstUpper: number = firstUpper;
  readonly #known = new Map<number, Known>();
  readonly #trace: Journal | undefined;
  readonly #tracePath: string | undefined;
  #pending: Change[] = [];
  #traceLimit = 8 * 1024 * 1024;
  readonly #rootIno: number;
  readonly #attributes = new Attributes();
  /** Whether the upper layer holds something under the number. */
  isChanged: (ino: number) => boolean = () => false;

  /** `tracePath` undefined: nobody will take over. */
  constructor(layer: LiveLayer, tracePath: string | undefined, takeover: boolean) {
    this.layer = layer;
    layer.getattr(layer.root, this.#attributes);
    this.#rootIno = this.#attributes.ino % numberLimit;
    this.#known.set(ROOT_NODE, { node: layer.root, parent: ROOT_NODE, name: '', count: 0 });
    this.#tracePath = tracePath;
    if (tracePath === undefined) return;
    if (!takeover) rmSync(tracePath, { force: true });
    this.#trace = Journal.open(
      tracePath,
      (change) => {
        if (change.kind === 'origin') this.tell(change.ino, change.parent, change.name);
      },
      () => [],
    );
  }

  /** Tells where a number is that an earlier server gave out. */
  tell(ino: number, parent: number, name: string): void {
    if (!this.#known.has(ino)) this.#known.set(ino, { node: 0, parent, name, count: 0 });
  }

  lookup(directory: number, name: Name, out: Attributes): number {
    const directoryNode = this.node(directory);
    if (directoryNode < 0) return directoryNode;
    const node = this.#layerLookup(directoryNode, name, out);
    if (node < 0) return node;
    let ino = this.number(out.ino);
    if (this.isChanged(ino) && !this.#isSameFile(ino, directory, name, out.nlink)) ino += numberLimit;
    out.ino = ino;
    const known = this.#known.get(ino);
    if (known?.node) {
      this.layer.forget(node, 1);
    } else {
      const key = name.key();
      this.#known.set(ino, { node, parent: directory, name: key, count: known?.count ?? 0 });
      this.#pending.push({ kind: 'origin', ino, parent: directory, name: key });
    }
    return ino;
  }

  #layerLookup(directory: number, name: Name, out: Attributes): number {
    const { layer } = this;
    if (layer.lookupWith) return layer.lookupWith(directory, name, out);
    const node = layer.lookup(directory, name);
    const result = node < 0 ? node : layer.getattr(node, out);
    if (node > 0 && result < 0) layer.forget(node, 1);
    return result < 0 ? result : node;
  }

  /** The name leads to the file that the number is known for: it is the same name, or another link of it. */
  #isSameFile(ino: number, directory: number, name: Name, nlink: number): boolean {
    const known = this.#known.get(ino);
    if (!known || (known.parent === directory && known.name === name.key())) return true;
    if (nlink < 2) return false;
    const parent = this.node(known.parent);
    const node = parent < 0 ? parent : this.#layerLookup(parent, Name.fromKey(known.name), this.#attributes);
    if (node < 0) return false;
    this.layer.forget(node, 1);
    return this.number(this.#attributes.ino) === ino;
  }

  getattr(ino: number, out: Attributes): number {
    const node = this.node(ino);
    if (node < 0) return node;
    const result = this.layer.getattr(node, out);
    out.ino = ino;
    return result;
  }

  node(ino: number): number {
    const known = this.#known.get(ino);
    if (!known) return -errno.ESTALE;
    if (known.node) return known.node;
    const parent = this.node(known.parent);
    if (parent < 0) return parent;
    const node = this.layer.lookup(parent, Name.fromKey(known.name));
    if (node < 0) return -errno.ESTALE;
    const attributes = this.#attributes;
    const isIt = this.layer.getattr(node, attributes) === 0 && this.number(attributes.ino) === ino % numberLimit;
    if (!isIt && !this.isChanged(ino)) {
      this.layer.forget(node, 1);
      return -errno.ESTALE;
    }
    return (known.node = node);
  }

  number(layerIno: number): number {
    const ino = layerIno % numberLimit;
    // The root has to be 1; what is 1 on disk, if anything, gets the root's number in exchange.
    if (ino === this.#rootIno) return ROOT_NODE;
    return ino === ROOT_NODE ? this.#rootIno : ino;
  }

  count(ino: number): void {
    const known = this.#known.get(ino);
    if (known) known.count++;
  }

  release(ino: number, count: number): number {
    const known = this.#known.get(ino);
    if (!known) return -count;
    known.count -= count;
    if (known.count <= 0 && known.node && ino !== ROOT_NODE) {
      this.layer.forget(known.node, 1);
      known.node = 0;
    }
    return known.count;
  }

  origins(ino: number, isKnown: (ino: number) => boolean): Change[] {
    const changes: Change[] = [];
    for (let at = ino; at !== ROOT_NODE && !isKnown(at);) {
      const known = this.#known.get(at);
      if (!known) break;
      changes.push({ kind: 'origin', ino: at, parent: known.parent, name: known.name });
      at = known.parent;
    }
    return changes;
  }

  place(ino: number): Place | undefined {
    return ino === ROOT_NODE ? undefined : this.#known.get(ino);
  }

  remember(): void {
    if (this.#pending.length === 0 || !this.#trace) return;
    const pending = this.#pending;
    this.#pending = [];
    try {
      this.#trace.append(pending);
      if (this.#trace.length > this.#traceLimit) this.#compact(this.#trace);
    } catch {
      // A full disk: only a takeover would need them.
    }
  }

  close(): void {
    this.#trace?.close();
    // An end in good order: nobody takes over.
    if (this.#tracePath !== undefined) rmSync(this.#tracePath, { force: true });
    this.layer.close();
  }

  #compact(trace: Journal): void {
    const changes: Change[] = [];
    for (const [ino, { parent, name }] of this.#known) changes.push({ kind: 'origin', ino, parent, name });
    trace.replace(changes);
    this.#traceLimit = Math.max(this.#traceLimit, trace.length * 2);
  }
}
