/** Images that FROM and --from name. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageConfig } from '../../image/config.ts';
import { digestOf, type Digest } from '../../image/digest.ts';
import { ImageError } from '../../image/image-error.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { hasBlob } from '../../image/layer/stored-layer.ts';
import { hostPlatform, formatPlatform, platformMatches, type Platform } from '../../image/platform.ts';
import { pullImage } from '../../image/pull.ts';
import { adoptImage } from '../../image/queries/shared-images.ts';
import { canonicalReference, parseReference, withDefaultTag } from '../../image/reference.ts';
import { readImageRecord } from '../../image/store/image-record.ts';
import { hasLayerList } from '../../image/store/durability.ts';
import { nameImage, readIndex, unnameImage } from '../../image/store/index-file.ts';
import { setPin } from '../../image/store/pins.ts';
import { updateIndex } from '../../image/store/update-index.ts';
import { writeJson } from '../../state/atomic-file.ts';
import type { StepEvents } from '../display/progress.ts';
import type { ChainLayer } from './layer-chain.ts';

export interface BaseImage {
  readonly layers: readonly ChainLayer[];
  readonly config: ImageConfig;
  /** Of the manifest. */
  readonly digest: Digest;
}

export interface BaseQuery {
  readonly name: string;
  readonly platform: Platform;
  /** Ask the registry for a newer one. */
  readonly pull: boolean;
  readonly builds: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly signal: AbortSignal;
}

/** `docker.io/library/debian:bookworm` of `debian:bookworm`; ids stay as they are. */
export function fullName(name: string): string {
  try {
    return canonicalReference(withDefaultTag(parseReference(name)));
  } catch {
    return name;
  }
}

/** Finds an image in the store or in its registry. Throws ImageError. */
export async function findBaseImage(store: ImageStore, query: BaseQuery, events: StepEvents): Promise<BaseImage> {
  const { name, platform, pull, signal } = query;
  const isForeign = !platformMatches(hostPlatform(), platform);
  if (isForeign) return foreignImage(store, query, events);
  if (!pull) await adoptShared(store, name);
  const { image } = await pullImage(store, name, {
    policy: pull ? 'always' : 'missing',
    signal,
    onEvent: tell(events),
  });
  return { layers: chainOf(image.config, image.manifest.layers), config: image.config, digest: image.manifestDigest };
}

/** What stands on an image of a shared store is an image of one's own: so has to be what it stands on. */
async function adoptShared(store: ImageStore, name: string): Promise<void> {
  if (store.shared.length === 0) return;
  try {
    await adoptImage(store, name);
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'NOT_FOUND') throw error;
  }
}

/**
 * An image of another platform than the machine's. Its name stays with the machine's own image, so that `run` goes on
 * finding that; which manifest the name means on the other platform is noted beside it.
 */
async function foreignImage(
  store: ImageStore,
  { name, platform, pull, builds, signal }: BaseQuery,
  events: StepEvents,
): Promise<BaseImage> {
  const note = join(builds, `platform-${digestOf(`${fullName(name)} ${formatPlatform(platform)}`).slice(7)}`);
  const known = pull ? undefined : readNote(note);
  if (known !== undefined) {
    const image = storedBase(store, known);
    if (image !== undefined) return image;
  }
  const { layout } = store;
  const canonical = fullName(name);
  const before = readIndex(layout).find((entry) => entry.name === canonical);
  const { image } = await pullImage(store, name, {
    policy: 'missing',
    platform: formatPlatform(platform),
    signal,
    onEvent: tell(events),
  });
  const { config, manifest, manifestDigest } = image;
  const layers = chainOf(config, manifest.layers);
  setPin(layout, `build-base-${digestOf(note).slice(7)}`, {
    layers: layers.map(({ diffId }) => diffId),
    blobs: [manifestDigest, manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)],
    trees: [manifestDigest],
  });
  writeJson(note, manifestDigest);
  if (before?.digest !== manifestDigest) {
    await updateIndex(layout, (entries) =>
      before === undefined ? unnameImage(entries, canonical) : nameImage(entries, before, canonical),
    );
  }
  return { layers, config, digest: manifestDigest };
}

function readNote(path: string): Digest | undefined {
  try {
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Digest) : undefined;
  } catch {
    return undefined;
  }
}

function storedBase(store: ImageStore, digest: Digest): BaseImage | undefined {
  try {
    const { config, manifest } = readImageRecord(store.layout, digest);
    const layers = chainOf(config, manifest.layers);
    const isWhole = layers.every(
      ({ diffId, descriptor }) => hasLayerList(store.layout, diffId) && hasBlob(store.layout, descriptor),
    );
    return isWhole ? { layers, config, digest } : undefined;
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}

function chainOf(config: ImageConfig, descriptors: readonly ChainLayer['descriptor'][]): ChainLayer[] {
  return config.diffIds.map((diffId, i) => ({ diffId, descriptor: descriptors[i]! }));
}

function tell(
  events: StepEvents,
): (event: { kind: string; id?: string; state?: string; text?: string; current?: number }) => void {
  return (event) => {
    if (event.kind === 'notice') events.note(event.text ?? '');
    else if (event.kind === 'layer' && event.current === undefined)
      events.note(`${event.id ?? ''} ${event.state ?? ''}`);
  };
}
