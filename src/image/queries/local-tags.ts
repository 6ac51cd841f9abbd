/** The tags of a repository, as far as a store has them. */
import type { ImageStore } from '../image-store.ts';
import { canonicalReference, parseReference, repositoryName, type Reference } from '../reference.ts';
import { allEntries } from './stored-images.ts';

/** All tags that the store has in the repository of a reference, sorted. */
export function localTags(store: ImageStore, reference: Reference): Reference[] {
  const prefix = `${repositoryName(reference)}:`;
  return allEntries(store)
    .flatMap(({ name }) => (name?.startsWith(prefix) === true ? [name.slice(prefix.length)] : []))
    .sort()
    .map((tag) => ({ domain: reference.domain, path: reference.path, tag }));
}

/**
 * What a user's word stands for where Docker takes a bare repository for all its tags (`save`): those, in the first store that has
 * any, or the word as it is.
 */
export function withAllTags(store: ImageStore, text: string): string[] {
  const reference = tryParse(text);
  if (reference?.tag !== undefined || reference?.digest !== undefined || reference === undefined) return [text];
  for (const each of [store, ...store.shared]) {
    const tags = localTags(each, reference);
    if (tags.length > 0) return tags.map(canonicalReference);
  }
  return [text];
}

function tryParse(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    // An id.
    return undefined;
  }
}
