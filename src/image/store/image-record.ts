import { readFileSync } from 'node:fs';
import { digestOf, type Digest } from '../digest.ts';
import { parseImageConfig, type ImageConfig } from '../config.ts';
import { ImageError, reasonOf } from '../image-error.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT, parseManifest, type Manifest } from '../manifest.ts';
import type { StoreLayout } from './layout.ts';

/** What the blobs say about one image. */
export interface ImageRecord {
  readonly manifestDigest: Digest;
  readonly manifest: Manifest;
  /** Bytes of the manifest. */
  readonly manifestSize: number;
  readonly config: ImageConfig;
}

/** Reads an image's manifest and config from the store and checks both against their digests. */
export function readImageRecord(layout: StoreLayout, manifestDigest: Digest): ImageRecord {
  const name = `image ${manifestDigest}`;
  const bytes = readSmallBlob(layout, manifestDigest, MANIFEST_LIMIT);
  const manifest = parseManifest(bytes, undefined, name);
  if (manifest.kind === 'list')
    throw new ImageError('UNSUPPORTED', `${name} in the store is a list of images, not an image`);
  const config = parseImageConfig(readSmallBlob(layout, manifest.config.digest, CONFIG_LIMIT), name);
  return { manifestDigest, manifest, manifestSize: bytes.length, config };
}

function readSmallBlob(layout: StoreLayout, digest: Digest, limit: number): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(layout.blob(digest));
  } catch (error) {
    throw new ImageError('DAMAGED', `Cannot read ${digest} from the image store: ${reasonOf(error)}`, { cause: error });
  }
  if (bytes.length <= limit && digestOf(bytes) === digest) return bytes;
  throw new ImageError('DAMAGED', `${layout.blob(digest)} is damaged: its content is not ${digest}`);
}
