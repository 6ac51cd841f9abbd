/**
 * The contract of a container's writable layer.
 *
 * A layer lives in a folder of its own, made by `create` before the first start and gone after `remove`; between them it
 * holds whatever the container has written, over any number of starts and reboots.
 *
 *   prepare   before each start: makes ready what the container's root will be made of. May be repeated.
 *   release   after each end: what `prepare` has set up and the layer does not need to lie still is taken away.
 *   remove    the layer and all that was written is gone. May be repeated; finishes what a killed removal began.
 *
 * Files may belong to any id of the user's map, so whoever works on a layer from outside does it in the holder's namespace.
 */
import type { RootSource } from '../base/root-source.ts';
import type { Holder } from '../holder/holder.ts';
import type { LayerQuota, MountContent } from '../image-server/mount-record.ts';
import type { StatePaths } from '../state/paths.ts';

export type WritableKind = 'kernel' | 'fuse';

/** What lies below the writable layer. */
export interface Lower {
  /** The same for the same content, fit for a file name. */
  readonly key: string;
  readonly content: Exclude<MountContent, { kind: 'union' }>;
}

export interface LayerContext {
  readonly paths: StatePaths;
  readonly holder: Holder;
  /** The container's id. */
  readonly id: string;
  /** The container's folder. */
  readonly folder: string;
  readonly lower: Lower;
  /** For layers that can keep to it: the FUSE one. */
  readonly quota: LayerQuota;
}

export interface WritableLayer {
  readonly kind: WritableKind;
  create(folder: string): void;
  prepare(context: LayerContext): Promise<RootSource>;
  release(context: Omit<LayerContext, 'lower' | 'quota'>): Promise<void>;
  remove(context: Omit<LayerContext, 'lower' | 'quota'>): Promise<void>;
}
