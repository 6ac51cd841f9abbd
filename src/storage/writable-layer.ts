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
 * What has been written can be read at any time from `create` to `remove`, also while the container runs (what changes meanwhile
 * comes as it was or as it is):
 *
 *   changes   what `trun diff` prints.
 *   archive   the layer tar and image commit: the layer as an OCI layer archive (image-spec, layer.md): whiteouts in OCI form,
 *             owners as inside the container, hard links, devices, security.capability and user.* attributes, nanoseconds; the
 *             same bytes for the same layer. Laid over what is below it gives the same tree. With `whole` the whole file system,
 *             mounts aside, as one archive.
 *   store     the same layer straight into the image store, which is how images are made: begin with
 *             `using addition = await beginAddition(layout)` (image/store/activity.ts), `store` or `addLayer`
 *             (image/layer/add-layer.ts) as often as need be, `commitImage` (image/commit-image.ts) or `setPin`
 *             (image/store/pins.ts) for what shall stay, `addition.finished()`. `layerTree` (image/store/merged-tree.ts) makes
 *             stored layers mountable before they are an image.
 *
 * Files may belong to any id of the user's map, so whoever works on a layer from outside does it in the holder's namespace.
 */
import type { Readable } from 'node:stream';
import type { RootSource } from '../base/root-source.ts';
import type { Holder } from '../holder/holder.ts';
import type { ContainerChange } from '../image/layer/container-changes.ts';
import type { NewLayer, StoreLayerOptions } from '../image/layer/store-layer.ts';
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
  /** Told what the user should know of how it was made ready. */
  readonly warn?: (message: string) => void;
}

/** `mountPoints`: as in `exportOverlay` of fuse-overlay; absent: what the runtime mounts in each container. */
export interface ReadContext extends Omit<LayerContext, 'quota' | 'warn'> {
  readonly mountPoints?: readonly string[];
}

export interface LayerArchive {
  readonly stdout: Readable;
  /** Rejects where the archive is not complete. */
  readonly done: Promise<void>;
}

export interface StoreRequest extends StoreLayerOptions {
  /** The image store's folder. */
  readonly root: string;
}

/** A process that waits to store a layer. Disposed of, it goes. */
export interface ReadyStore extends Disposable {
  store(): Promise<NewLayer>;
}

export interface WritableLayer {
  readonly kind: WritableKind;
  create(folder: string): void;
  prepare(context: LayerContext): Promise<RootSource>;
  release(context: Omit<LayerContext, 'lower' | 'quota'>): Promise<void>;
  remove(context: Omit<LayerContext, 'lower' | 'quota'>): Promise<void>;
  /** In the order of paths. */
  changes(context: ReadContext): Promise<ContainerChange[]>;
  archive(context: ReadContext, whole?: boolean): Promise<LayerArchive>;
  store(context: ReadContext, request: StoreRequest): Promise<NewLayer>;
  /** As `store`, started while the layer is still written to: it takes longer to start than to read a small layer. */
  prepareStore(context: ReadContext, request: StoreRequest): ReadyStore;
}
