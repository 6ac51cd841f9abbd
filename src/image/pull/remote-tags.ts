import type { ImageStore } from '../image-store.ts';
import { familiarName, type Reference } from '../reference.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { RegistryClient } from '../registry/registry-client.ts';

/** The tags that a repository has in its registry. Throws NOT_FOUND, UNAUTHORIZED or UNAVAILABLE. */
export async function remoteTags(store: ImageStore, reference: Reference): Promise<string[]> {
  // Mirrors need not have every tag.
  const session = openRegistry(store, reference.domain);
  try {
    return await new RegistryClient(session).listTags(reference.path, familiarName(reference), undefined);
  } finally {
    session.close();
  }
}
