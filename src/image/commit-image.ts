import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../state/atomic-file.ts';
import { parseImageConfig } from './config.ts';
import { digestOf, type Digest } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { ImageStore } from './image-store.ts';
import { hasBlob } from './layer/stored-layer.ts';
import { mediaTypes, ociLayerTypes, type Descriptor } from './manifest.ts';
import { canonicalReference, type Reference } from './reference.ts';
import { hasLayerList } from './store/durability.ts';
import { nameImage } from './store/index-file.ts';
import type { StoreLayout } from './store/layout.ts';
import { mergeTree } from './store/merged-tree.ts';
import { unpackedSize } from './store/unpacked-size.ts';
import { updateIndex } from './store/update-index.ts';

export interface ImageCommit {
  /** The image config as a document, or its bytes (image-spec, config.md); `rootfs.diff_ids` are those of the layers. */
  readonly config: object | Buffer;
  /** Of all layers, lowest first: a base image's as its manifest has them, new ones as `storeLayer` and `addLayer` give them. */
  readonly layers: readonly Descriptor[];
  /** Names to give it, tags or digests; none makes an image without a name. */
  readonly references: readonly Reference[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface CommittedImage {
  /** Digest of the config. */
  readonly id: Digest;
  readonly manifest: Descriptor;
}

/**
 * Makes an image of layers that the store has, and gives it its names: before that it does not exist, afterwards it can be run. The
 * caller has announced the addition (`beginAddition`) since before it stored or found the layers. Throws ImageError.
 */
export async function commitImage(store: ImageStore, commit: ImageCommit): Promise<CommittedImage> {
  const config = Buffer.isBuffer(commit.config) ? commit.config : Buffer.from(JSON.stringify(commit.config));
  const layers = commit.layers.map((layer) => ociDescriptor(layer));
  const mediaType = mediaTypes.ociManifest;
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers,
    ...(commit.annotations && { annotations: commit.annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return enterImage(store, { manifest: { bytes, mediaType, layers }, config, references: commit.references });
}

export interface ImageDocuments {
  readonly manifest: { readonly bytes: Buffer; readonly mediaType: string; readonly layers: readonly Descriptor[] };
  readonly config: Buffer;
  readonly references: readonly Reference[];
}

/** As `commitImage`, of an image whose documents there are already. */
export async function enterImage(
  { layout }: ImageStore,
  { manifest: { bytes, mediaType, layers }, config, references }: ImageDocuments,
): Promise<CommittedImage> {
  const id = digestOf(config);
  const name = `image ${id}`;
  const { diffIds } = parseImageConfig(config, name);
  if (diffIds.length !== layers.length) {
    throw new ImageError('INVALID', `${name} has ${layers.length} layers, but its config lists ${diffIds.length}`);
  }
  for (const [index, diffId] of diffIds.entries()) {
    if (hasLayerList(layout, diffId) && hasBlob(layout, layers[index]!)) continue;
    throw new ImageError('DAMAGED', `Cannot make ${name}: its layer ${diffId} is not in the image store`);
  }
  const manifest = { mediaType, digest: digestOf(bytes), size: bytes.length };
  keepBlob(layout, config);
  keepBlob(layout, bytes);
  mergeTree(layout, diffIds, layout.tree(manifest.digest), name);
  const entry = { ...manifest, unpackedSize: unpackedSize(layout, diffIds) };
  const names = references.map(canonicalReference);
  await updateIndex(layout, (entries) => {
    if (names.length > 0) return names.reduce((current, each) => nameImage(current, entry, each), entries);
    return entries.some(({ digest }) => digest === manifest.digest) ? entries : [...entries, entry];
  });
  return { id, manifest };
}

/** Documents are small enough to be compared: so a damaged one is mended. The index, which names it, is written and synced after. */
export function keepBlob(layout: StoreLayout, bytes: Buffer): void {
  const path = layout.blob(digestOf(bytes));
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileAtomic(path, bytes, 0o600, 'content');
}

const dockerLayer = /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(gzip|zstd))?$/;

/** A layer of a Docker manifest as an OCI one has it: the same bytes under another type. */
export function ociDescriptor({ mediaType, digest, size, annotations }: Descriptor): Descriptor {
  const match = dockerLayer.exec(mediaType);
  const packing = match?.[1] as 'gzip' | 'zstd' | undefined;
  const type = match ? ociLayerTypes[packing ?? 'tar'] : mediaType;
  return { mediaType: type, digest, size, ...(annotations && { annotations }) };
}
