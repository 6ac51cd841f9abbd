import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { canonicalReference, parseReference, withDefaultTag } from '../reference.ts';
import { nameImage } from '../store/index-file.ts';
import { updateIndex } from '../store/update-index.ts';
import { adoptImage } from './shared-images.ts';
import { findImage } from './stored-images.ts';

/** Gives the image `source` (name or id) the further name `target`, taking that from whoever had it. */
export async function tagImage(store: ImageStore, source: string, target: string): Promise<void> {
  const reference = withDefaultTag(parseReference(target));
  if (reference.digest !== undefined) {
    throw new ImageError('INVALID', 'refusing to create a tag with a digest reference');
  }
  await adoptImage(store, source);
  await updateIndex(store.layout, (entries) => {
    const { image, entry } = findImage(store, source, entries);
    return nameImage(entries, entry ?? image.entries[0]!, canonicalReference(reference));
  });
}
