/**
 * What the store's images take up, to the byte: every file of the store that an image needs is somebody's. Contents and layers that
 * several images need are shared; what only one needs goes when it is removed.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { contentPath, readLayerList } from 'fuse-overlay';
import type { Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { allEntries, indexedImages, type IndexedImage } from '../queries/stored-images.ts';
import { parseReference } from '../reference.ts';
import { readImageRecord } from './image-record.ts';
import type { StoreLayout } from './layout.ts';
import type { LiveSet } from './live-set.ts';
import { addPinned } from './pins.ts';

export interface ImageUsage {
  readonly id: Digest;
  /** Bytes of all files that the image needs. */
  readonly size: number;
  /** Those that others need, too. */
  readonly shared: number;
}

export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  /** Bytes of all files that some image needs, each once. */
  readonly imageBytes: number;
  /** Of those, what no image in use needs. */
  readonly unusedBytes: number;
  /** What is kept for no image alone: a build cache. */
  readonly pinned: { readonly count: number; readonly bytes: number };
  /** What nobody needs: downloads that can go on, layers of pulls that failed. */
  readonly leftoverBytes: number;
}

/** @param isUsed whether an image may not go */
export function storeUsage(store: ImageStore, isUsed: (id: Digest) => boolean = () => false): StoreUsage {
  const { layout } = store;
  const users = new Map<string, number>();
  const sizes = new Map<string, number>();
  const needs = indexedImages(store, allEntries(store), () => undefined).map((image) => ({
    id: image.id,
    paths: imagePaths(layout, image),
  }));
  function sizeOf(path: string): number {
    let size = sizes.get(path);
    if (size === undefined) sizes.set(path, (size = statSync(path, { throwIfNoEntry: false })?.size ?? 0));
    return size;
  }
  for (const { paths } of needs) for (const path of paths) users.set(path, (users.get(path) ?? 0) + 1);
  const images = needs.map(({ id, paths }) => {
    let [size, shared] = [0, 0];
    for (const path of paths) {
      size += sizeOf(path);
      if (users.get(path)! > 1) shared += sizeOf(path);
    }
    return { id, size, shared };
  });
  const imageBytes = sum(users.keys(), sizeOf);
  const kept = new Set(needs.flatMap(({ id, paths }) => (isUsed(id) ? [...paths] : [])));
  for (const path of pinnedPaths(layout)) kept.add(path);
  const unusedBytes = sum(
    [...users.keys()].filter((path) => !kept.has(path)),
    sizeOf,
  );
  const pinned = new Set([...pinnedPaths(layout)].filter((path) => !users.has(path)));
  const pinnedBytes = sum(pinned, sizeOf);
  const all = sum(storeFiles(layout), sizeOf);
  return {
    images,
    imageBytes,
    unusedBytes,
    pinned: { count: readdirSync(layout.pins).filter((name) => !name.endsWith('.tmp')).length, bytes: pinnedBytes },
    leftoverBytes: Math.max(all - imageBytes - pinnedBytes, 0),
  };
}

function sum(paths: Iterable<string>, sizeOf: (path: string) => number): number {
  let bytes = 0;
  for (const path of paths) bytes += sizeOf(path);
  return bytes;
}

/** Every file that an image needs, each once: the same config may have come by several manifests. */
function imagePaths(layout: StoreLayout, { record, entries }: IndexedImage): Set<string> {
  const paths = new Set<string>();
  const manifests = new Map([[record.manifestDigest, record]]);
  for (const { digest, name } of entries) {
    if (!manifests.has(digest)) manifests.set(digest, readImageRecord(layout, digest));
    const listed = name?.includes('@') === true ? digestOfName(name) : undefined;
    if (listed) paths.add(layout.blob(listed));
  }
  for (const { manifest, manifestDigest } of manifests.values()) {
    paths.add(layout.tree(manifestDigest));
    for (const { digest } of [{ digest: manifestDigest }, manifest.config, ...manifest.layers])
      paths.add(layout.blob(digest));
  }
  for (const diffId of record.config.diffIds) addLayerPaths(layout, paths, diffId);
  return paths;
}

function addLayerPaths(layout: StoreLayout, paths: Set<string>, diffId: Digest): void {
  const list = layout.layerList(diffId);
  if (statSync(list, { throwIfNoEntry: false }) === undefined) return;
  paths.add(list);
  for (const { contentId } of readLayerList(list)) {
    if (contentId) paths.add(join(layout.files, contentPath(contentId)));
  }
}

function pinnedPaths(layout: StoreLayout): Set<string> {
  const live: LiveSet = { blobs: new Set(), layers: new Set(), trees: new Set() };
  addPinned(layout, live);
  const paths = new Set<string>();
  for (const name of live.blobs) paths.add(join(layout.blobs, name));
  for (const name of live.trees) paths.add(join(layout.trees, name));
  for (const name of live.layers) addLayerPaths(layout, paths, `sha256:${name}`);
  return paths;
}

/** All files of the kinds that images consist of. */
function* storeFiles(layout: StoreLayout): Generator<string> {
  for (const folder of [layout.blobs, layout.partial, layout.layers, layout.trees]) {
    for (const name of readdirSync(folder)) yield join(folder, name);
  }
  for (const folder of readdirSync(layout.files)) {
    for (const name of readdirSync(join(layout.files, folder))) yield join(layout.files, folder, name);
  }
}

function digestOfName(name: string): Digest | undefined {
  try {
    return parseReference(name).digest;
  } catch {
    return undefined;
  }
}
