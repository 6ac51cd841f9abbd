import type { Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import type { Platform } from '../platform.ts';
import { resolveImage } from '../queries/list-images.ts';
import { allEntries, type StoredImage } from '../queries/stored-images.ts';
import { canonicalReference, familiarReference, type Reference } from '../reference.ts';
import { openRegistries } from '../registry/open-registries.ts';
import { RegistryError } from '../registry/registry-error.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import type { OnPullEvent } from './pull-events.ts';
import { pullFromRegistry } from './pull-image.ts';

export interface ReferencePull {
  readonly reference: Reference;
  readonly platform: Platform;
  /** Whether the user asked for this platform, so that another one is an error. */
  readonly isPlatformAsked: boolean;
  /** The image that the store has under the name. */
  readonly present: StoredImage | undefined;
  readonly onEvent: OnPullEvent;
  readonly signal: AbortSignal | undefined;
}

/** Asks the registry what a name stands for, and pulls it where that is not what is present. */
export async function pullByReference(
  store: ImageStore,
  request: ReferencePull,
): Promise<{ image: StoredImage; outcome: 'current' | 'pulled'; digest: Digest }> {
  const { reference } = request;
  const sessions = openRegistries(store, reference.domain);
  try {
    for (const [index, session] of sessions.entries()) {
      try {
        return await pullFrom(store, new RegistryClient(session), request);
      } catch (error) {
        if (index === sessions.length - 1 || !isWorthAnother(error)) throw error;
      }
    }
    throw new Error('A registry has one address at least');
  } finally {
    for (const session of sessions) session.close();
  }
}

/** A mirror may lack, hide, damage or not serve what the registry itself has. */
function isWorthAnother(error: unknown): boolean {
  return error instanceof RegistryError;
}

async function pullFrom(
  store: ImageStore,
  client: RegistryClient,
  { reference, platform, isPlatformAsked, present, onEvent, signal }: ReferencePull,
): Promise<{ image: StoredImage; outcome: 'current' | 'pulled'; digest: Digest }> {
  const current = present && (await unchangedDigest(store, client, reference, present, signal));
  if (current) {
    onEvent({ kind: 'start', reference: reference.digest ?? reference.tag!, repository: reference.path });
    return { image: present, outcome: 'current', digest: current };
  }
  const { layout, limits } = store;
  const keepBlobs = store.options.keepBlobs ?? true;
  const job = { layout, client, reference, platform, isPlatformAsked, limits, keepBlobs, onEvent, signal };
  const { digest, manifestDigest, isNew } = await pullFromRegistry(job);
  // Not by name: that may stand for another platform's image by now.
  return { image: resolveImage(store, manifestDigest), outcome: isNew ? 'pulled' : 'current', digest };
}

/** What the registry calls the tag, if that is what it called the image we have. A HEAD request does not count as a pull. */
async function unchangedDigest(
  store: ImageStore,
  client: RegistryClient,
  reference: Reference,
  present: StoredImage,
  signal: AbortSignal | undefined,
): Promise<Digest | undefined> {
  const { domain, path, tag, digest } = reference;
  if (digest !== undefined) return digest;
  const now = await client.resolveTag(path, tag!, familiarReference(reference), signal);
  if (now === undefined) return undefined;
  const name = canonicalReference({ domain, path, digest: now });
  const known = allEntries(store).find((entry) => entry.name === name);
  return known?.digest === present.manifestDigest ? now : undefined;
}
