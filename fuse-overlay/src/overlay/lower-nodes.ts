/**
 * Numbers for the nodes of the lower layer. The kernel, the journal and the programs know a file of the union by one number,
 * its inode number, which has to mean the same file in every server that ever works on the layer.
 */
import type { LowerLayer } from '../layers/lower-layer.ts';
import type { Attributes } from '../server/attributes.ts';
import type { Name } from '../server/name.ts';
import type { Change } from './upper/change.ts';

export interface Place {
  readonly parent: number;
  readonly name: string;
}

export interface LowerNodes {
  readonly layer: LowerLayer;
  /** Numbers from here on are not the lower layer's. */
  readonly firstUpper: number;
  /** The number of a name, its attributes in `out`; or a negative errno. */
  lookup(directory: number, name: Name, out: Attributes): number;
  getattr(ino: number, out: Attributes): number;
  /** The layer's own node for the number, or a negative errno. */
  node(ino: number): number;
  /** The number for an inode number of the layer. */
  number(layerIno: number): number;
  /** The kernel was told of the node once more. */
  count(ino: number): void;
  /** The kernel gave `count` references back; returns how many it has left, below 0 for those of an earlier server. */
  release(ino: number, count: number): number;
  /** Where the node is, as changes for the journal: what a later server needs to find it. */
  origins(ino: number, isKnown: (ino: number) => boolean): Change[];
  /** Where the layer has it; undefined where a number says that by itself. */
  place(ino: number): Place | undefined;
  /** To be called before a reply that names nodes, so that a successor knows them, too. */
  remember(): void;
  close(): void;
}
