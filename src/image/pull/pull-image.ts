/**
 * A pull from name to image: resolve the manifest, fetch config and layers, merge the layers into the image's tree, and enter it
 * in the index. Only the last step makes the image exist; everything before it is kept by digest and found again by the next pull.
 */
import { keepBlob } from '../commit-image.ts';
import { parseImageConfig, type ImageConfig } from '../config.ts';
import type { Digest } from '../digest.ts';
import { ImageError, reasonOf, throwIfCancelled } from '../image-error.ts';
import { CONFIG_LIMIT, type Descriptor } from '../manifest.ts';
import { formatPlatform, platformMatches, type Platform } from '../platform.ts';
import { canonicalReference, familiarReference, repositoryName, type Reference } from '../reference.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import { beginAddition } from '../store/activity.ts';
import { nameImage, readIndex, type IndexEntry } from '../store/index-file.ts';
import { updateIndex } from '../store/update-index.ts';
import type { StoreLayout } from '../store/layout.ts';
import { mergeTree } from '../store/merged-tree.ts';
import { releaseSpace, tidyUp } from '../store/sweep.ts';
import { unpackedSize } from '../store/unpacked-size.ts';
import type { UnpackLimits } from '../unpack/limits.ts';
import { diskError } from '../unpack/unpack-failure.ts';
import { UnpackerPool } from '../unpack/unpacker-pool.ts';
import type { OnPullEvent } from './pull-events.ts';
import { hasLayer, pullLayer, shortDigest } from './pull-layer.ts';
import { resolveManifest, type ResolvedManifest } from './resolve-manifest.ts';

export interface PullJob {
  readonly layout: StoreLayout;
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly platform: Platform;
  /** Whether the user asked for this platform, so that another one is an error. */
  readonly isPlatformAsked: boolean;
  readonly limits: UnpackLimits;
  /** Whether layers' blobs stay when they are unpacked. */
  readonly keepBlobs: boolean;
  readonly onEvent: OnPullEvent;
  readonly signal: AbortSignal | undefined;
}

export interface PullOutcome {
  /** What the registry calls it: for the `Digest:` line. */
  readonly digest: Digest;
  readonly manifestDigest: Digest;
  /** False where the name already stood for this very image. */
  readonly isNew: boolean;
}

/** As Docker's max-concurrent-downloads. */
const LAYERS_AT_ONCE = 3;

export async function pullFromRegistry(job: PullJob): Promise<PullOutcome> {
  const { layout, reference, onEvent, signal } = job;
  const resolved = await resolveManifest(job.client, reference, job.platform, signal);
  onEvent({ kind: 'start', reference: reference.digest ?? reference.tag!, repository: reference.path });
  const outcome = { digest: resolved.named.digest, manifestDigest: resolved.digest };
  try {
    using addition = await beginAddition(layout);
    const isNew = await addImage(job, resolved);
    addition.finished();
    return { ...outcome, isNew };
  } catch (error) {
    throw onFailure(layout, error);
  } finally {
    tidyUp(layout);
  }
}

async function addImage(job: PullJob, resolved: ResolvedManifest): Promise<boolean> {
  const { layout } = job;
  const { manifest, digest, bytes, named } = resolved;
  const config = await fetchConfig(job, manifest.config);
  const { config: imageConfig } = config;
  const { diffIds } = imageConfig;
  if (diffIds.length !== manifest.layers.length) {
    const name = familiarReference(job.reference);
    throw new ImageError(
      'INVALID',
      `${name} has ${manifest.layers.length} layers, but its config lists ${diffIds.length}`,
    );
  }
  checkPlatform(job, imageConfig);
  await pullLayers(job, manifest.layers, diffIds);
  throwIfCancelled(job.signal);
  for (const blob of [config.bytes, bytes, named.bytes]) keepBlob(layout, blob);
  mergeTree(layout, diffIds, layout.tree(digest), familiarReference(job.reference));
  const descriptor = { mediaType: manifest.mediaType, digest, size: bytes.length };
  return enterImage(job, { ...descriptor, unpackedSize: unpackedSize(layout, diffIds) }, named.digest);
}

async function fetchConfig(job: PullJob, descriptor: Descriptor): Promise<{ bytes: Buffer; config: ImageConfig }> {
  const { client, reference, signal } = job;
  const name = familiarReference(reference);
  const bytes = await client.fetchBlob(
    reference.path,
    descriptor.digest,
    CONFIG_LIMIT,
    `The config of ${name}`,
    signal,
  );
  return { bytes, config: parseImageConfig(bytes, name) };
}

function checkPlatform({ platform, isPlatformAsked, reference, onEvent }: PullJob, config: ImageConfig): void {
  if (config.platform.os !== 'linux') {
    throw new ImageError(
      'UNSUPPORTED',
      `${familiarReference(reference)} is an image for ${config.platform.os}, not for linux`,
    );
  }
  if (platformMatches(platform, config.platform)) return;
  const has = formatPlatform(config.platform);
  const wanted = formatPlatform(platform);
  if (isPlatformAsked) {
    const text = `image with reference ${familiarReference(reference)} was found but its platform (${has}) does not match the specified platform (${wanted})`;
    throw new ImageError('NOT_FOUND', text);
  }
  onEvent({ kind: 'notice', text: `The image's platform (${has}) does not match the host's (${wanted})` });
}

async function pullLayers(job: PullJob, layers: readonly Descriptor[], diffIds: readonly Digest[]): Promise<void> {
  const { layout, client, reference, limits, keepBlobs, onEvent } = job;
  const waiting = distinct(layers.map((layer, index) => ({ layer, diffId: diffIds[index]! })));
  for (const { layer, diffId } of waiting) {
    if (!hasLayer(layout, layer, diffId)) {
      onEvent({ kind: 'layer', id: shortDigest(layer.digest), state: 'Pulling fs layer' });
    }
  }
  const stop = new AbortController();
  const signal = job.signal ? AbortSignal.any([job.signal, stop.signal]) : stop.signal;
  await using unpackers = new UnpackerPool();
  async function takeLayers(): Promise<void> {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      throwIfCancelled(signal);
      await pullLayer({
        layout,
        client,
        repository: reference.path,
        ...next,
        unpackers,
        limits,
        keepBlobs,
        onEvent,
        signal,
      });
    }
  }
  const takers = Array.from({ length: LAYERS_AT_ONCE }, () =>
    takeLayers().catch((error: unknown) => {
      // The first failure ends the others, and is the one to tell.
      if (!stop.signal.aborted) stop.abort(error);
    }),
  );
  await Promise.all(takers);
  throwIfCancelled(job.signal);
  if (stop.signal.aborted) throw stop.signal.reason;
}

/** Some tools list their empty layer many times. */
function distinct<T extends { readonly layer: Descriptor }>(layers: readonly T[]): T[] {
  return [...new Map(layers.map((each) => [each.layer.digest, each])).values()];
}

/** Names the image: by its tag if there is one, and by what the registry calls it. Returns whether that is news. */
async function enterImage(
  { layout, reference }: PullJob,
  image: Pick<IndexEntry, 'mediaType' | 'digest' | 'size' | 'unpackedSize'>,
  registryDigest: Digest,
): Promise<boolean> {
  const { domain, path, tag, digest } = reference;
  const byDigest = `${repositoryName(reference)}@${registryDigest}`;
  const names = [byDigest];
  if (tag !== undefined && digest === undefined) names.push(canonicalReference({ domain, path, tag }));
  const asked = names.at(-1)!;
  const isNew = readIndex(layout).find((entry) => entry.name === asked)?.digest !== image.digest;
  await updateIndex(layout, (entries) => names.reduce((current, name) => nameImage(current, image, name), entries));
  return isNew;
}

function onFailure(layout: StoreLayout, error: unknown): unknown {
  const { code } = error as { code?: unknown };
  const isFull = code === 'NO_SPACE' || code === 'ENOSPC' || code === 'EDQUOT';
  if (isFull) releaseSpace(layout);
  if (error instanceof ImageError || typeof code !== 'string') return error;
  return diskError('Cannot store the image', reasonOf(error), code);
}
