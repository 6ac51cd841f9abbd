/**
 * `image verify`: everything that an image consists of is read and compared with its digest; what is damaged is made again, from the
 * blobs where these are whole, and otherwise from the registry that the image came from.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { contentPath, readLayerList } from 'fuse-overlay';
import { digestHex, type Digest } from '../digest.ts';
import { reasonOf } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { isElsewhere } from '../layer/remote-blob.ts';
import { hasBlobFile } from '../layer/stored-layer.ts';
import { pullImage } from '../pull.ts';
import { beginAddition } from '../store/activity.ts';
import { hasLayerList } from '../store/durability.ts';
import { mergeTree } from '../store/merged-tree.ts';
import type { StoreLayout } from '../store/layout.ts';
import { UnpackerPool } from '../unpack/unpacker-pool.ts';
import type { StoredImage } from './stored-images.ts';

export interface Verification {
  readonly image: StoredImage;
  /** What was found, a line each. */
  readonly problems: readonly string[];
  /** Whether all of it is right now. */
  readonly isWhole: boolean;
}

/** Verifies images, and mends them unless `isDry`. Contents that they share are read once. */
export async function* verifyImages(
  store: ImageStore,
  images: readonly StoredImage[],
  isDry: boolean,
): AsyncGenerator<Verification> {
  const known = new Map<string, boolean>();
  for (const image of images) {
    if (image.isLazy) {
      yield { image, problems: ['its files are still being fetched'], isWhole: true };
      continue;
    }
    const found = await findDamage(store.layout, image, known);
    if (found.problems.length === 0 || isDry) {
      yield { image, problems: found.problems, isWhole: found.problems.length === 0 };
      continue;
    }
    const problems = [...found.problems];
    try {
      await mend(store, image, found);
    } catch (error) {
      problems.push(`cannot be mended: ${reasonOf(error)}`);
    }
    known.clear();
    yield { image, problems, isWhole: (await findDamage(store.layout, image, known)).problems.length === 0 };
  }
}

interface Damage {
  readonly problems: readonly string[];
  readonly blobs: readonly Digest[];
  readonly layers: readonly Digest[];
  readonly contents: readonly string[];
  readonly isTreeMissing: boolean;
}

async function findDamage(layout: StoreLayout, image: StoredImage, known: Map<string, boolean>): Promise<Damage> {
  const problems: string[] = [];
  const [blobs, layers, contents]: [Digest[], Digest[], string[]] = [[], [], []];
  async function isRight(path: string, hex: string): Promise<boolean> {
    let right = known.get(path);
    if (right === undefined) known.set(path, (right = (await hashOf(path)) === hex));
    return right;
  }
  const { diffIds } = image.config;
  for (const [index, layer] of image.manifest.layers.entries()) {
    const diffId = diffIds[index]!;
    const shown = digestHex(diffId).slice(0, 12);
    if (hasBlobFile(layout, layer)) {
      if (!(await isRight(layout.blob(layer.digest), digestHex(layer.digest)))) {
        problems.push(`layer ${shown}: its blob is damaged`);
        blobs.push(layer.digest);
      }
    } else if (layer.digest !== diffId && !isElsewhere(layout, layer.digest)) {
      problems.push(`layer ${shown}: its blob is missing`);
      blobs.push(layer.digest);
    }
    const broken = await brokenContents(layout, diffId, isRight);
    if (broken === undefined) problems.push(`layer ${shown}: its list is missing or damaged`);
    for (const path of broken ?? []) problems.push(`layer ${shown}: content ${path.slice(-16)} is damaged`);
    contents.push(...(broken ?? []));
    if (broken === undefined || broken.length > 0) layers.push(diffId);
  }
  const isTreeMissing = !existsSync(layout.tree(image.manifestDigest));
  if (isTreeMissing) problems.push('its tree is missing');
  return { problems, blobs, layers, contents, isTreeMissing };
}

/** Paths of contents that are not what they should be; undefined where the list itself cannot be read. */
async function brokenContents(
  layout: StoreLayout,
  diffId: Digest,
  isRight: (path: string, hex: string) => Promise<boolean>,
): Promise<string[] | undefined> {
  if (!hasLayerList(layout, diffId)) return undefined;
  const broken = new Set<string>();
  try {
    for (const { contentId } of readLayerList(layout.layerList(diffId))) {
      if (!contentId) continue;
      const path = join(layout.files, contentPath(contentId));
      if (!(await isRight(path, Buffer.from(contentId).toString('hex')))) broken.add(path);
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EBADMSG') throw error;
    return undefined;
  }
  return [...broken];
}

async function hashOf(path: string): Promise<string | undefined> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}

async function mend(store: ImageStore, image: StoredImage, damage: Damage): Promise<void> {
  const { layout } = store;
  {
    using addition = await beginAddition(layout);
    for (const path of damage.contents) rmSync(path, { force: true });
    for (const digest of damage.blobs) rmSync(layout.blob(digest), { force: true });
    // Without its list a layer is not there, and a pull brings it.
    const { layers } = image.manifest;
    const lost = image.config.diffIds.filter((_, index) => damage.blobs.includes(layers[index]!.digest));
    for (const diffId of [...damage.layers, ...lost]) rmSync(layout.layerList(diffId), { force: true });
    const canUnpack = damage.blobs.length === 0 && !needsRegistry(store.layout, image, damage.layers);
    if (canUnpack) await unpackAgain(store, image, damage.layers);
    if (damage.isTreeMissing && canUnpack) {
      mergeTree(layout, image.config.diffIds, layout.tree(image.manifestDigest), `image ${image.id}`);
    }
    addition.finished();
  }
  if (damage.blobs.length > 0 || needsRegistry(layout, image, damage.layers)) await fetchAgain(store, image);
}

/** Whether the blob of one of the layers is not kept here. */
function needsRegistry(layout: StoreLayout, { manifest, config }: StoredImage, diffIds: readonly Digest[]): boolean {
  return diffIds.some((diffId) => {
    const { digest } = manifest.layers[config.diffIds.indexOf(diffId)]!;
    return !hasBlobFile(layout, { digest }) && isElsewhere(layout, digest);
  });
}

async function unpackAgain(
  { layout, limits }: ImageStore,
  image: StoredImage,
  diffIds: readonly Digest[],
): Promise<void> {
  await using unpackers = new UnpackerPool();
  for (const diffId of diffIds) {
    const layer = image.manifest.layers[image.config.diffIds.indexOf(diffId)]!;
    if (!hasBlobFile(layout, layer)) throw new Error('it was made here and there is no other copy of it');
    const job = unpackers.start({
      path: layout.blob(layer.digest),
      size: layer.size,
      shownAs: digestHex(diffId).slice(0, 12),
      request: {
        ...{ files: layout.files, temporary: layout.temporary, diffId, limits },
        list: layout.layerList(diffId),
        mark: layout.unprovenLayer(diffId),
      },
      onProgress: () => undefined,
    });
    job.grow(layer.size);
    job.complete();
    await job.result;
  }
}

async function fetchAgain(store: ImageStore, image: StoredImage): Promise<void> {
  const [name] = image.repoDigests;
  if (name === undefined) throw new Error('no registry is known to have it');
  await pullImage(store, name, { policy: 'always' });
}
