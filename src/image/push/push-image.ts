/**
 * A push from the store to a registry: the blobs that it lacks, then the manifest. An image that came from a registry goes as it
 * came, byte for byte, and keeps its digest; layers that were made here are packed on the way.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { digestHex, digestOf, type Digest } from '../digest.ts';
import { ImageError, throwIfCancelled } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { ociLayerTypes, type Descriptor } from '../manifest.ts';
import { retryState, type LayerState, type OnPullEvent } from '../pull/pull-events.ts';
import { allEntries, findImage, type IndexedImage } from '../queries/stored-images.ts';
import { canonicalReference, familiarReference, repositoryName, type Reference } from '../reference.ts';
import { RegistryUploader, type BlobUpload } from '../registry/registry-uploader.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { isElsewhere, openRemoteBlob } from '../layer/remote-blob.ts';
import { hasBlobFile } from '../layer/stored-layer.ts';
import { beginAddition } from '../store/activity.ts';
import { nameImage } from '../store/index-file.ts';
import { tidyUp } from '../store/sweep.ts';
import { updateIndex } from '../store/update-index.ts';
import { knownPacking, packLayer } from './packed-layer.ts';
import { mountCandidates } from './mount-candidates.ts';

export interface PushOptions {
  readonly onEvent?: OnPullEvent;
  readonly signal?: AbortSignal;
}

export interface PushedImage {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
}

/** Layers on their way at once, as Docker's max-concurrent-uploads. */
const LAYERS_AT_ONCE = 5;

interface Push {
  readonly store: ImageStore;
  readonly uploader: RegistryUploader;
  readonly repository: string;
  readonly domain: string;
  readonly onEvent: OnPullEvent;
  readonly signal: AbortSignal | undefined;
}

/**
 * Pushes the image that the store has under this very name, which is where it goes. Throws NOT_FOUND, UNAUTHORIZED, UNAVAILABLE,
 * DAMAGED or CANCELLED.
 */
export async function pushImage(
  store: ImageStore,
  reference: Reference,
  { onEvent = ignore, signal }: PushOptions = {},
): Promise<PushedImage> {
  const name = familiarReference(reference);
  if (reference.tag === undefined) throw new ImageError('INVALID', 'cannot push a digest reference');
  const { image, entry } = findImage(store, canonicalReference(reference), allEntries(store));
  if (!entry) throw new ImageError('NOT_FOUND', `An image does not exist locally with the tag: ${name}`);
  const session = openRegistry(store, reference.domain);
  try {
    // What is sent is not to be removed meanwhile.
    using addition = await beginAddition(store.layout);
    const uploader = new RegistryUploader(session);
    const push = { store, uploader, repository: reference.path, domain: reference.domain, onEvent, signal };
    const layers = await pushLayers(push, image);
    const { manifest } = image.record;
    await pushFile(push, manifest.config);
    const document = pushedManifest(store, image, layers);
    await uploader.putManifest(reference.path, reference.tag, document, signal);
    const digest = digestOf(document.bytes);
    const byDigest = canonicalReference({ domain: reference.domain, path: reference.path, digest });
    await updateIndex(store.layout, (entries) => nameImage(entries, entry, byDigest));
    addition.finished();
    return { digest, size: document.bytes.length };
  } finally {
    session.close();
    tidyUp(store.layout);
  }
}

/** The manifest in the store, or one that names packed layers in its place. */
function pushedManifest(
  { layout }: ImageStore,
  { record }: IndexedImage,
  layers: readonly Descriptor[],
): { bytes: Buffer; mediaType: string } {
  const { manifest, manifestDigest } = record;
  const bytes = readFileSync(layout.blob(manifestDigest));
  const isSame = layers.every(({ digest }, index) => digest === manifest.layers[index]!.digest);
  if (isSame) return { bytes, mediaType: manifest.mediaType };
  const document = JSON.parse(bytes.toString()) as object;
  return { bytes: Buffer.from(JSON.stringify({ ...document, layers })), mediaType: manifest.mediaType };
}

/** Sends what is missing, several layers at once, and returns how the manifest is to name them all. */
async function pushLayers(push: Push, { record }: IndexedImage): Promise<Descriptor[]> {
  const { manifest, config } = record;
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

/** The config, of which nothing is told. */
async function pushFile({ store, uploader, repository, signal }: Push, { digest, size }: Descriptor): Promise<void> {
  if (await uploader.hasBlob(repository, digest, signal)) return;
  const path = store.layout.blob(digest);
  await uploader.uploadBlob({
    ...{ repository, digest, size, signal },
    open: (start) => createReadStream(path, { start }),
    onProgress: ignore,
    onWait: ignore,
  });
}

function tell({ onEvent }: Push, diffId: Digest, state: LayerState, progress: object = {}): void {
  onEvent({ kind: 'layer', id: digestHex(diffId).slice(0, 12), state, ...progress });
}

function ignore(): void {
  // Nobody listens.
}

/** All tags that the store has in the repository of a reference, as `push -a` takes them. */
export function localTags(store: ImageStore, reference: Reference): Reference[] {
  const prefix = `${repositoryName(reference)}:`;
  return allEntries(store)
    .flatMap(({ name }) => (name?.startsWith(prefix) === true ? [name.slice(prefix.length)] : []))
    .sort()
    .map((tag) => ({ domain: reference.domain, path: reference.path, tag }));
}
