/** What a manifest names on its way to a repository, and how the manifest is to name it there. */
import { createReadStream, readFileSync } from 'node:fs';
import { digestHex, type Digest } from '../digest.ts';
import { ImageError, throwIfCancelled } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { ociLayerTypes, type Descriptor } from '../manifest.ts';
import { retryState, type LayerState, type OnPullEvent } from '../pull/pull-events.ts';
import type { BlobUpload, RegistryUploader } from '../registry/registry-uploader.ts';
import { isElsewhere, openRemoteBlob } from '../layer/remote-blob.ts';
import { hasBlobFile } from '../layer/stored-layer.ts';
import type { ImageRecord } from '../store/image-record.ts';
import { knownPacking, packLayer } from './packed-layer.ts';
import { mountCandidates } from './mount-candidates.ts';

/** Layers on their way at once, as Docker's max-concurrent-uploads. */
const LAYERS_AT_ONCE = 5;

/** A push under way. */
export interface Push {
  readonly store: ImageStore;
  readonly uploader: RegistryUploader;
  readonly repository: string;
  readonly domain: string;
  readonly onEvent: OnPullEvent;
  readonly signal: AbortSignal | undefined;
}

export interface PushedManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** Sends the layers and the config of an image, where they lack, and returns the manifest that is to follow. */
export async function pushContents(push: Push, record: ImageRecord): Promise<PushedManifest> {
  const layers = await pushLayers(push, record);
  const { digest, size } = record.manifest.config;
  const path = push.store.layout.blob(digest);
  await pushDocument(push, { digest, size, open: (start) => createReadStream(path, { start }) });
  return pushedManifest(push.store, record, layers);
}

/** Sends a blob that is no layer, of which nothing is told. */
export async function pushDocument(
  { uploader, repository, signal }: Push,
  { digest, size, open }: Pick<BlobUpload, 'digest' | 'size' | 'open'>,
): Promise<void> {
  if (await uploader.hasBlob(repository, digest, signal)) return;
  await uploader.uploadBlob({ repository, digest, size, signal, open, onProgress: ignore, onWait: ignore });
}

/** The manifest in the store, or one that names packed layers in its place. */
function pushedManifest(
  { layout }: ImageStore,
  { manifest, manifestDigest }: ImageRecord,
  layers: readonly Descriptor[],
): PushedManifest {
  const bytes = readFileSync(layout.blob(manifestDigest));
  const isSame = layers.every(({ digest }, index) => digest === manifest.layers[index]!.digest);
  if (isSame) return { bytes, mediaType: manifest.mediaType };
  const document = JSON.parse(bytes.toString()) as object;
  return { bytes: Buffer.from(JSON.stringify({ ...document, layers })), mediaType: manifest.mediaType };
}

/** Sends what is missing, several layers at once, and returns how the manifest is to name them all. */
async function pushLayers(push: Push, { manifest, config }: ImageRecord): Promise<Descriptor[]> {
  const pushed = new Map<Digest, Descriptor>();
  const waiting = new Map(
    manifest.layers.map((layer, index) => [layer.digest, { layer, diffId: config.diffIds[index]! }]),
  );
  for (const { diffId } of waiting.values()) tell(push, diffId, 'Preparing');
  const stop = new AbortController();
  const signal = push.signal ? AbortSignal.any([push.signal, stop.signal]) : stop.signal;
  const queue = [...waiting.values()];
  async function takeLayers(): Promise<void> {
    for (let next = queue.shift(); next; next = queue.shift()) {
      throwIfCancelled(signal);
      pushed.set(next.layer.digest, await pushLayer({ ...push, signal }, next.layer, next.diffId));
    }
  }
  await Promise.all(
    Array.from({ length: LAYERS_AT_ONCE }, () =>
      takeLayers().catch((error: unknown) => {
        // The first failure ends the others, and is the one to tell.
        if (!stop.signal.aborted) stop.abort(error);
      }),
    ),
  );
  throwIfCancelled(push.signal);
  if (stop.signal.aborted) throw stop.signal.reason;
  return manifest.layers.map(({ digest }) => pushed.get(digest)!);
}

async function pushLayer(push: Push, layer: Descriptor, diffId: Digest): Promise<Descriptor> {
  const { layout } = push.store;
  const isFile = hasBlobFile(layout, layer);
  const isRemote = !isFile && isElsewhere(layout, layer.digest);
  const known = isFile || isRemote ? layer : knownPacking(layout, diffId);
  if (known && (await isThere(push, known, diffId))) return known;
  if (isFile) {
    await send(push, layer, diffId, (start) => createReadStream(layout.blob(layer.digest), { start }));
    return layer;
  }
  if (isRemote) {
    await send(push, layer, diffId, (start) => openRemoteBlob(layout, layer.digest, start));
    return layer;
  }
  if (layer.digest !== diffId || layer.mediaType !== ociLayerTypes.tar) {
    throw new ImageError('DAMAGED', `The image store has lost the blob ${layer.digest}; pull the image again`);
  }
  using packed = await packLayer(layout, diffId, push.signal);
  if (known?.digest === packed.descriptor.digest || !(await isThere(push, packed.descriptor, diffId))) {
    await send(push, packed.descriptor, diffId, (start) => packed.open(start));
  }
  return packed.descriptor;
}

/** Whether the repository has the blob, or gets it from another one of the registry. */
async function isThere(push: Push, { digest }: Descriptor, diffId: Digest): Promise<boolean> {
  const { uploader, repository, signal, store, domain } = push;
  if (await uploader.hasBlob(repository, digest, signal)) {
    tell(push, diffId, 'Layer already exists');
    return true;
  }
  for (const from of mountCandidates(store, domain, repository, diffId)) {
    if (!(await uploader.mountBlob(repository, digest, from, signal))) continue;
    tell(push, diffId, `Mounted from ${from}`);
    return true;
  }
  return false;
}

async function send(push: Push, { digest, size }: Descriptor, diffId: Digest, open: BlobUpload['open']): Promise<void> {
  const { uploader, repository, signal } = push;
  await uploader.uploadBlob({
    ...{ repository, digest, size, open, signal },
    onProgress: (bytes) => tell(push, diffId, 'Pushing', { current: bytes, total: size }),
    onWait: (milliseconds) => tell(push, diffId, retryState(milliseconds)),
  });
  tell(push, diffId, 'Pushed');
}

function tell({ onEvent }: Push, diffId: Digest, state: LayerState, progress: object = {}): void {
  onEvent({ kind: 'layer', id: digestHex(diffId).slice(0, 12), state, ...progress });
}

function ignore(): void {
  // Nobody listens.
}
