/**
 * A push from the store to a registry: the blobs that it lacks, then the manifest. An image that came from a registry goes as it
 * came, byte for byte, and keeps its digest; layers that were made here are packed on the way.
 */
import { digestOf, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import type { OnPullEvent } from '../pull/pull-events.ts';
import { adoptImage } from '../queries/shared-images.ts';
import { allEntries, findImage } from '../queries/stored-images.ts';
import { canonicalReference, familiarReference, type Reference } from '../reference.ts';
import { RegistryUploader } from '../registry/registry-uploader.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { beginAddition } from '../store/activity.ts';
import { readImageRecord } from '../store/image-record.ts';
import { nameImage } from '../store/index-file.ts';
import { tidyUp } from '../store/sweep.ts';
import { updateIndex } from '../store/update-index.ts';
import { pushContents, type Push } from './push-contents.ts';

export interface PushOptions {
  readonly onEvent?: OnPullEvent;
  readonly signal?: AbortSignal;
}

export interface PushedImage {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
}

/**
 * Pushes the image that the store has under this very name, which is where it goes. Throws NOT_FOUND, UNAUTHORIZED, UNAVAILABLE,
 * DAMAGED or CANCELLED.
 */
export async function pushImage(
  store: ImageStore,
  reference: Reference,
  options: PushOptions = {},
): Promise<PushedImage> {
  const name = familiarReference(reference);
  const canonical = canonicalReference(reference);
  return withPush(store, reference, options, async (push, tag) => {
    await adoptImage(store, canonical);
    const { entry } = findImage(store, canonical, allEntries(store));
    if (!entry) throw new ImageError('NOT_FOUND', `An image does not exist locally with the tag: ${name}`);
    const document = await pushContents(push, readImageRecord(store.layout, entry.digest));
    await push.uploader.putManifest(reference.path, tag, document, options.signal);
    const digest = digestOf(document.bytes);
    const byDigest = canonicalReference({ domain: reference.domain, path: reference.path, digest });
    await updateIndex(store.layout, (entries) => nameImage(entries, entry, byDigest));
    return { digest, size: document.bytes.length };
  });
}

/** Does what is a push to a reference's repository. What is sent is not removed meanwhile. */
export async function withPush<R>(
  store: ImageStore,
  { domain, path, tag }: Reference,
  { onEvent = () => undefined, signal }: PushOptions,
  work: (push: Push, tag: string) => Promise<R>,
): Promise<R> {
  if (tag === undefined) throw new ImageError('INVALID', 'cannot push a digest reference');
  const session = openRegistry(store, domain);
  try {
    using addition = await beginAddition(store.layout);
    const uploader = new RegistryUploader(session);
    const result = await work({ store, uploader, repository: path, domain, onEvent, signal }, tag);
    addition.finished();
    return result;
  } finally {
    session.close();
    tidyUp(store.layout);
  }
}
