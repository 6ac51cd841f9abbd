/** A push of several images under one name: their blobs and manifests, then the index (image-spec, image-index.md) that names them. */
import { Readable } from 'node:stream';
import { digestOf, type Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { mediaTypes, type Descriptor } from '../manifest.ts';
import type { Reference } from '../reference.ts';
import { readImageRecord } from '../store/image-record.ts';
import { pushContents, pushDocument, type Push } from './push-contents.ts';
import { withPush, type PushedImage, type PushOptions } from './push-image.ts';

/** An index that is made when it is known what the registry calls the images. */
export interface DescribedIndex {
  readonly bytes: Buffer;
  /** Manifests that it names besides the images', with what they name. */
  readonly attached: readonly { readonly manifest: Buffer; readonly blobs: readonly Buffer[] }[];
}

export interface IndexSource {
  /** Of the images in the store. */
  readonly manifests: readonly Digest[];
  /** Is given the manifests as they have been sent, in the same order. */
  readonly describe: (pushed: readonly Descriptor[]) => DescribedIndex;
}

/** Pushes the images, and the index to the reference's tag. Throws as `pushImage`. */
export async function pushIndex(
  store: ImageStore,
  reference: Reference,
  { manifests, describe }: IndexSource,
  options: PushOptions = {},
): Promise<PushedImage> {
  return withPush(store, reference, options, async (push, tag) => {
    const pushed: Descriptor[] = [];
    for (const manifest of manifests) {
      const { bytes, mediaType } = await pushContents(push, readImageRecord(store.layout, manifest));
      pushed.push(await putByDigest(push, bytes, mediaType));
    }
    const { bytes, attached } = describe(pushed);
    for (const { manifest, blobs } of attached) {
      for (const blob of blobs) {
        await pushDocument(push, {
          digest: digestOf(blob),
          size: blob.length,
          open: (start) => Readable.from([blob.subarray(start)]),
        });
      }
      await putByDigest(push, manifest, mediaTypes.ociManifest);
    }
    await push.uploader.putManifest(push.repository, tag, { bytes, mediaType: mediaTypes.ociIndex }, push.signal);
    return { digest: digestOf(bytes), size: bytes.length };
  });
}

async function putByDigest(
  { uploader, repository, signal }: Push,
  bytes: Buffer,
  mediaType: string,
): Promise<Descriptor> {
  const digest = digestOf(bytes);
  await uploader.putManifest(repository, digest, { bytes, mediaType }, signal);
  return { mediaType, digest, size: bytes.length };
}
