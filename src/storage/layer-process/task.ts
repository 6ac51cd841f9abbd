/** What the process that reads a writable layer is asked to do. Paths are the host's. */
import type { Lower } from '../writable-layer.ts';

export type LayerTask = ReadTask | MeasureTask | UnpackTask;

/** Bytes of all files below each folder, as a JSON list to stdout. */
export interface MeasureTask {
  readonly operation: 'measure';
  readonly folders: readonly string[];
}

/** Writes a merged tree out as plain files below the empty folder `target`, and waits until they are on the disk. */
export interface UnpackTask {
  readonly operation: 'unpack';
  readonly index: string;
  readonly files: string;
  readonly target: string;
  readonly keepOwners: boolean;
}

export interface ReadTask {
  /**
   * `changes`: a letter, a space, a path and a NUL for each, to stdout. `tar`: an OCI layer archive to stdout. `whole`: the
   * whole file system as an archive. `store`: the layer into the image store, its description as JSON to stdout.
   */
  readonly operation: 'changes' | 'tar' | 'whole' | 'store';
  readonly upper: { readonly kind: 'kernel'; readonly path: string } | { readonly kind: 'fuse'; readonly path: string };
  readonly lower: Lower;
  readonly mountPoints: readonly string[];
  /** With `store`: the image store's folder, and how. */
  readonly store?: { readonly root: string; readonly consume: boolean };
  /** It begins with the first byte on stdin, and does nothing where that ends without one. */
  readonly waits?: boolean;
  /** Times later than this (seconds since the epoch) become this. */
  readonly latest?: number;
}
