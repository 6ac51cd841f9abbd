/** Layers of the store as streams again. */
import { createReadStream, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { contentPath, readLayerList } from 'fuse-overlay';
import type { Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { Descriptor } from '../manifest.ts';
import { hasLayerList } from '../store/durability.ts';
import type { StoreLayout } from '../store/layout.ts';
import { layerTar, type LayerSource } from './layer-tar.ts';
import { isElsewhere, openRemoteBlob } from './remote-blob.ts';

/** Whether the blob itself is kept. */
export function hasBlobFile(layout: StoreLayout, { digest }: Pick<Descriptor, 'digest'>): boolean {
  return existsSync(layout.blob(digest));
}

/** Whether `openBlob` has something to give. */
export function hasBlob(layout: StoreLayout, { digest }: Pick<Descriptor, 'digest'>): boolean {
  return hasBlobFile(layout, { digest }) || hasLayerList(layout, digest) || isElsewhere(layout, digest);
}

/**
 * The bytes of a blob: those in `blobs/`, or, of a layer that was made here and never packed, its archive made from its list
 * and contents, or what the registry has that it came from. Whoever passes it on checks its digest. Throws DAMAGED where neither is there.
 */
export function openBlob(layout: StoreLayout, { digest }: Pick<Descriptor, 'digest'>): Readable {
  if (existsSync(layout.blob(digest))) return createReadStream(layout.blob(digest), { highWaterMark: 1024 * 1024 });
  if (hasLayerList(layout, digest)) return openLayerTar(layout, digest);
  if (isElsewhere(layout, digest)) return openRemoteBlob(layout, digest);
  throw new ImageError('DAMAGED', `The image store has lost the blob ${digest}; pull the image again`);
}

/** A layer's archive as our writer writes it: of a layer that came from elsewhere not the bytes that came. */
export function openLayerTar(layout: StoreLayout, diffId: Digest): Readable {
  return Readable.from(gatherPieces(layerTar(listedEntries(layout.layerList(diffId), layout.files))), {
    objectMode: false,
  });
}

/** The entries of a list with their contents from the store `files`. */
export function* listedEntries(list: string, files: string): Generator<LayerSource> {
  for (const entry of readLayerList(list)) {
    const { contentId } = entry;
    yield { entry, open: contentId && (() => openSync(join(files, contentPath(contentId)), 'r')) };
  }
}

/** Pieces as a stream may keep them, small ones put together. */
export function* gatherPieces(pieces: Iterable<Buffer>): Generator<Buffer> {
  let gathered: Buffer[] = [];
  let size = 0;
  for (const piece of pieces) {
    gathered.push(Buffer.from(piece));
    size += piece.length;
    if (size < GATHERED) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(gathered);
}

const GATHERED = 256 * 1024;
