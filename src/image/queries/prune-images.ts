import { ImageError } from '../image-error.ts';
import type { ImageStore, ImageUsers } from '../image-store.ts';
import { storeUsage } from '../store/disk-usage.ts';
import { listOwnImages } from './list-images.ts';
import { removeImage, type RemovalStep } from './remove-image.ts';
import type { StoredImage } from './stored-images.ts';
import type { Digest } from '../digest.ts';

export interface PruneOptions {
  readonly users: ImageUsers;
  /** Also images that have names. */
  readonly all: boolean;
  /** Which ones may go. */
  readonly passes: (image: StoredImage) => boolean;
}

export interface PrunedImages {
  readonly steps: readonly RemovalStep[];
  /** Manifests of images that are gone. */
  readonly manifests: readonly Digest[];
  /** Bytes by which the store's files are less. */
  readonly reclaimed: number;
}

/** Removes images that no container uses: those without a name, or all. One that is taken into use meanwhile stays. */
export async function pruneImages(store: ImageStore, { users, all, passes }: PruneOptions): Promise<PrunedImages> {
  const before = totalBytes(store);
  const steps: RemovalStep[] = [];
  const manifests: Digest[] = [];
  for (const image of listOwnImages(store, () => undefined)) {
    if (users.has(image.id) || (!all && image.repoTags.length > 0) || !passes(image)) continue;
    try {
      steps.push(...(await removeImage(store, image.id, { force: true, users })));
      manifests.push(image.manifestDigest);
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ImageError) || (error.code !== 'NOT_FOUND' && error.code !== 'CONFLICT')) throw error;
    }
  }
  return { steps, manifests, reclaimed: Math.max(before - totalBytes(store), 0) };
}

function totalBytes(store: ImageStore): number {
  const { imageBytes, pinned, leftoverBytes } = storeUsage(store);
  return imageBytes + pinned.bytes + leftoverBytes;
}
