import type { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { allEntries, findImage, indexedImages, storedImage, type StoredImage } from './stored-images.ts';

/** All images, the youngest first. Damaged ones are left out and told to `onProblem`. */
export function listImages(store: ImageStore, onProblem: (error: ImageError) => void): StoredImage[] {
  return indexedImages(store, allEntries(store), onProblem)
    .map((image) => storedImage(store, image))
    .sort((a, b) => time(b.created) - time(a.created) || time(b.taggedAt) - time(a.taggedAt));
}

/** The image that a name, an id or the start of an id means. Throws NOT_FOUND (`No such image: …`) or INVALID. */
export function resolveImage(store: ImageStore, text: string): StoredImage {
  return storedImage(store, findImage(store, text, allEntries(store)).image);
}

function time(text: string | undefined): number {
  return Date.parse(text ?? '') || 0;
}
