import { digestOf, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import { parseManifest, selectManifest, type Manifest } from '../manifest.ts';
import type { Platform } from '../platform.ts';
import { familiarReference, type Reference } from '../reference.ts';
import type { FetchedManifest, RegistryClient } from '../registry/registry-client.ts';

/** Lists that lead to lists: more than this many are a joke. */
const LIST_DEPTH = 3;

export interface ResolvedManifest {
  readonly manifest: Manifest;
  readonly digest: Digest;
  readonly bytes: Buffer;
  /** What the tag or digest names: the manifest itself, or the list that it was chosen from. */
  readonly named: { readonly digest: Digest; readonly bytes: Buffer };
}

/** Asks the registry what a reference stands for, on a platform. */
export async function resolveManifest(
  client: RegistryClient,
  reference: Reference,
  platform: Platform,
  signal: AbortSignal | undefined,
): Promise<ResolvedManifest> {
  const name = familiarReference(reference);
  const { path } = reference;
  // As in Docker the digest counts where there is a tag as well.
  const named = await client.fetchManifest(path, reference.digest ?? reference.tag!, name, signal);
  let fetched: FetchedManifest = named;
  for (let depth = 0; ; depth++) {
    const document = parseManifest(fetched.bytes, fetched.contentType, name);
    if (document.kind === 'manifest')
      return { manifest: document, digest: digestOf(fetched.bytes), bytes: fetched.bytes, named };
    if (depth === LIST_DEPTH) throw new ImageError('INVALID', `The index of ${name} leads to indexes only`);
    const chosen = selectManifest(document, platform, name);
    fetched = await client.fetchManifest(path, chosen.digest, name, signal);
    if (fetched.bytes.length !== chosen.size) {
      throw new ImageError(
        'INVALID',
        `The manifest of ${name} has ${fetched.bytes.length} bytes, its index says ${chosen.size}`,
      );
    }
  }
}
