import type { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { findSomewhere } from './shared-images.ts';
import { allEntries, indexedImages, storedImage, type StoredImage } from './stored-images.ts';

/** All images, also those of shared stores, the youngest first. Damaged ones are left out and told to `onProblem`. */
export function listImages(store: ImageStore, onProblem: (error: ImageError) => void): StoredImage[] {
  const images = new Map<string, StoredImage>();
  for (const each of [store, ...store.shared]) {
    for (const image of indexedImages(each, allEntries(each), onProblem)) {
      if (!images.has(image.id)) images.set(image.id, storedImage(each, image));
    }
  }
  return [...images.values()].sort((a, b) => time(b.created) - time(a.created) || time(b.taggedAt) - time(a.taggedAt));
}

/** Those of the user's own store. */
export function listOwnImages(store: ImageStore, onProblem: (error: ImageError) => void): StoredImage[] {
  return listImages({ ...store, shared: [] }, onProblem);
}

/** The image that a name, an id or the start of an id means. Throws NOT_FOUND (`No such image: …`) or INVALID. */
export function resolveImage(store: ImageStore, text: string): StoredImage {
  const { store: owner, found } = findSomewhere(store, text);
  return storedImage(owner, found.image);
}

function time(text: string | undefined): number {
  return Date.parse(text ?? '') || 0;
}
