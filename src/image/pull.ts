import { ImageError } from './image-error.ts';
import type { ImageStore } from './image-store.ts';
import { hostPlatform, parsePlatform, platformMatches, type Platform } from './platform.ts';
import type { OnPullEvent } from './pull/pull-events.ts';
import { pullFromRegistry } from './pull/pull-image.ts';
import { resolveImage } from './queries/list-images.ts';
import { allEntries, type StoredImage } from './queries/stored-images.ts';
import { canonicalReference, familiarReference, parseReference, withDefaultTag, type Reference } from './reference.ts';
import { findCredentials, type Credentials } from './registry/credentials.ts';
import { RegistryClient } from './registry/registry-client.ts';
import type { Digest } from './digest.ts';

/** `missing`: only if the store does not have it, as `run` does by default. `always`: see whether there is a newer one. */
export type PullPolicy = 'always' | 'missing' | 'never';

export interface PullOptions {
  /** `linux/arm64`; default: the host's. */
  readonly platform?: string;
  readonly policy: PullPolicy;
  readonly onEvent?: OnPullEvent;
  readonly signal?: AbortSignal;
}

export interface PulledImage {
  readonly image: StoredImage;
  /** `present`: the registry was not asked. `current`: it has nothing newer. `pulled`: the name stands for a new image. */
  readonly outcome: 'present' | 'current' | 'pulled';
  /** For the `Digest:` line: what the registry calls it. Absent with `present`. */
  readonly digest?: Digest;
  /** `docker.io/library/debian:bookworm`; with `present` the text as it was given. */
  readonly canonicalName: string;
  /** `debian:bookworm`, likewise. */
  readonly familiarName: string;
}

/**
 * Sees to it that an image is in the store, as `policy` says. Throws ImageError: INVALID (reference, image), NOT_FOUND,
 * UNAUTHORIZED, UNSUPPORTED, UNAVAILABLE, DAMAGED, NO_SPACE or CANCELLED. A failed or killed pull leaves no image, and the next
 * one goes on from what it had.
 */
export async function pullImage(store: ImageStore, text: string, options: PullOptions): Promise<PulledImage> {
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const present = presentImage(store, text, platform, options.platform !== undefined);
  // Here the text may be an id as well.
  if (options.policy !== 'always' && present)
    return { image: present, outcome: 'present', canonicalName: text, familiarName: text };
  const reference = withDefaultTag(parseReference(text));
  const names = { canonicalName: canonicalReference(reference), familiarName: familiarReference(reference) };
  if (options.policy === 'never') throw new ImageError('NOT_FOUND', `No such image: ${names.familiarName}`);

  const client = openRegistry(store, reference.domain);
  const onEvent = options.onEvent ?? ignore;
  const { signal } = options;
  try {
    const current = present && (await unchangedDigest(store, client, reference, present, signal));
    if (current) {
      onEvent({ kind: 'start', reference: reference.digest ?? reference.tag!, repository: reference.path });
      return { image: present, outcome: 'current', digest: current, ...names };
    }
    const isPlatformAsked = options.platform !== undefined;
    const { layout, limits } = store;
    const job = { layout, client, reference, platform, isPlatformAsked, limits, onEvent, signal };
    const { digest, manifestDigest, isNew } = await pullFromRegistry(job);
    // Not by name: that may stand for another platform's image by now.
    const image = resolveImage(store, manifestDigest);
    return { image, outcome: isNew ? 'pulled' : 'current', digest, ...names };
  } finally {
    client.close();
  }
}

/** The image that the store has under this name, if it can be run and is for the platform, where one is asked for. */
function presentImage(
  store: ImageStore,
  text: string,
  platform: Platform,
  isPlatformAsked: boolean,
): StoredImage | undefined {
  let image: StoredImage;
  try {
    image = resolveImage(store, text);
  } catch (error) {
    // A damaged image is mended by pulling it again.
    if (error instanceof ImageError && (error.code === 'NOT_FOUND' || error.code === 'DAMAGED')) return undefined;
    throw error;
  }
  if (!image.isUnpacked) return undefined;
  return !isPlatformAsked || platformMatches(platform, image.config.platform) ? image : undefined;
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

function openRegistry(store: ImageStore, domain: string): RegistryClient {
  const { env = process.env, insecureRegistries, registry } = store.options;
  let credentials: Promise<Credentials | undefined> | undefined;
  return new RegistryClient(domain, {
    ...registry,
    ...(insecureRegistries && { insecureRegistries }),
    env,
    credentials: () => (credentials ??= findCredentials(domain, env)),
  });
}

function ignore(): void {
  // Nobody listens.
}
