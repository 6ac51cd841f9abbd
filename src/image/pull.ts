import { ImageError } from './image-error.ts';
import type { ImageStore } from './image-store.ts';
import { hostPlatform, parsePlatform, platformMatches, type Platform } from './platform.ts';
import type { OnPullEvent } from './pull/pull-events.ts';
import { resolveImage } from './queries/list-images.ts';
import { allEntries, findNamedImage, storedImage, type StoredImage } from './queries/stored-images.ts';
import { canonicalReference, familiarReference, parseReference, withDefaultTag } from './reference.ts';
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
  const known = presentImage(store, text, platform, options.platform !== undefined);
  // One that is not all there yet can be run, but a pull brings the rest.
  const present = options.policy === 'always' && known?.isLazy === true ? undefined : known;
  // Here the text may be an id as well.
  if (options.policy !== 'always' && present) {
    return { image: present, outcome: 'present', canonicalName: text, familiarName: text };
  }
  const reference = withDefaultTag(parseReference(text));
  const names = { canonicalName: canonicalReference(reference), familiarName: familiarReference(reference) };
  if (options.policy === 'never') throw new ImageError('NOT_FOUND', `No such image: ${names.familiarName}`);

  // With it comes node:http, which takes longer to load than all the above to run.
  const { pullByReference } = await import('./pull/pull-by-reference.ts');
  const { onEvent, signal } = options;
  const isPlatformAsked = options.platform !== undefined;
  const request = { reference, platform, isPlatformAsked, present, onEvent: onEvent ?? ignore, signal };
  return { ...(await pullByReference(store, request)), ...names };
}

function ignore(): void {
  // Nobody listens.
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
    const named = findNamedImage(store, text, allEntries(store));
    image = named ? storedImage(store, named) : resolveImage(store, text);
  } catch (error) {
    // A damaged image is mended by pulling it again.
    if (error instanceof ImageError && (error.code === 'NOT_FOUND' || error.code === 'DAMAGED')) return undefined;
    throw error;
  }
  if (!image.isUnpacked) return undefined;
  return !isPlatformAsked || platformMatches(platform, image.config.platform) ? image : undefined;
}
