import type { Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { allEntries, indexedImages } from '../queries/stored-images.ts';
import { parseReference } from '../reference.ts';

/** More than this many questions cost more than sending the blob, as a rule. */
const CANDIDATE_LIMIT = 3;

/**
 * Other repositories of the registry that are known to have a layer: those that an image with the layer came from or went to, which
 * its names by digest tell.
 */
export function mountCandidates(store: ImageStore, domain: string, repository: string, diffId: Digest): string[] {
  const found = new Set<string>();
  for (const { record, entries } of indexedImages(store, allEntries(store), () => undefined)) {
    if (!record.config.diffIds.includes(diffId)) continue;
    for (const { name } of entries) {
      if (name?.includes('@') !== true) continue;
      const reference = tryParse(name);
      if (reference?.domain === domain && reference.path !== repository) found.add(reference.path);
    }
  }
  return [...found].slice(0, CANDIDATE_LIMIT);
}

function tryParse(name: string): ReturnType<typeof parseReference> | undefined {
  try {
    return parseReference(name);
  } catch {
    // A name that another program gave.
    return undefined;
  }
}
