/** `rmi` by Docker's rules (moby daemon/images/image_delete.go): what a name's removal does to other names and to the image. */
import { digestHex, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore, ImageUser, ImageUsers } from '../image-store.ts';
import { parseReference, repositoryName } from '../reference.ts';
import { noteRemoval } from '../store/activity.ts';
import { unnameImage, type IndexEntry } from '../store/index-file.ts';
import { updateIndex } from '../store/update-index.ts';
import { chainIds } from '../store/merged-tree.ts';
import { keepReserve, withReserve } from '../store/reserve.ts';
import { tidyUp } from '../store/sweep.ts';
import { refuseShared } from './shared-images.ts';
import { familiarize, findImage, indexedImages, type FoundImage, type IndexedImage } from './stored-images.ts';

/** One line of output each: `Untagged: debian:12`, `Deleted: sha256:…` */
export type RemovalStep = { readonly Untagged: string } | { readonly Deleted: string };

export interface RemovalOptions {
  readonly force: boolean;
  readonly users: ImageUsers;
}

interface Plan {
  readonly entries: readonly IndexEntry[];
  readonly steps: readonly RemovalStep[];
}

/**
 * Removes a name, and with the last one the image. An image that a container uses keeps its data in any case; `force` takes its
 * names away. Throws NOT_FOUND, or CONFLICT in Docker's words.
 */
export async function removeImage(store: ImageStore, text: string, options: RemovalOptions): Promise<RemovalStep[]> {
  refuseShared(store, text);
  let steps: readonly RemovalStep[] = [];
  const { layout } = store;
  await withReserve(layout, () => updateIndex(layout, change));
  tidyUp(layout);
  keepReserve(layout);
  return [...steps];

  function change(entries: readonly IndexEntry[]): readonly IndexEntry[] {
    const found = findImage(store, text, entries);
    const plan = planRemoval(store, entries, found, options);
    const gone = entries.filter((entry) => !plan.entries.some(({ digest }) => digest === entry.digest));
    // First the note, then the index: killed in between, the note finds that everything is still needed.
    if (gone.length > 0) noteRemoval(layout, digestsOf(gone));
    steps = plan.steps;
    return plan.entries;
  }
}

function planRemoval(
  store: ImageStore,
  entries: readonly IndexEntry[],
  found: FoundImage,
  options: RemovalOptions,
): Plan {
  const { image } = found;
  const user = options.users.get(image.id);
  if (found.byId) return deleteImage(store, entries, image, user, options.force);

  const name = found.entry!.name!;
  if (!options.force && user && isSingleReference(namesOf(image.entries))) {
    const text = `unable to remove repository reference "${familiarize(name)}" (must force) - container ${shortId(user.container)} is using its referenced image ${shortImage(image.id)}`;
    throw conflict(text);
  }
  const removed = [name, ...orphanedDigests(image, name)];
  const steps = removed.map(untagged);
  const left = removed.reduce(unnameImage, entries);
  const hasNames = namesOf(image.entries).length > removed.length;
  // The image stays under its other names, or nameless for the container that uses it.
  if (hasNames || user) return { entries: left, steps };
  const deletion = deleteEntries(store, left, image);
  return { entries: deletion.entries, steps: [...steps, ...deletion.steps] };
}

function deleteImage(
  store: ImageStore,
  entries: readonly IndexEntry[],
  image: IndexedImage,
  user: ImageUser | undefined,
  force: boolean,
): Plan {
  const shown = shortImage(image.id);
  const names = namesOf(image.entries);
  if (user?.isRunning) {
    throw conflict(
      `unable to delete ${shown} (cannot be forced) - image is being used by running container ${shortId(user.container)}`,
    );
  }
  if (!force && !isSingleReference(names)) {
    throw conflict(`unable to delete ${shown} (must be forced) - image is referenced in multiple repositories`);
  }
  if (!force && user) {
    throw conflict(
      `unable to delete ${shown} (must be forced) - image is being used by stopped container ${shortId(user.container)}`,
    );
  }
  const steps = names.map(untagged);
  if (user) return { entries: names.reduce(unnameImage, entries), steps };
  const deletion = deleteEntries(store, entries, image);
  return { entries: deletion.entries, steps: [...steps, ...deletion.steps] };
}

function deleteEntries(store: ImageStore, entries: readonly IndexEntry[], image: IndexedImage): Plan {
  const manifests = new Set(image.entries.map(({ digest }) => digest));
  const left = entries.filter(({ digest }) => !manifests.has(digest));
  const others = indexedImages(store, left, () => undefined);
  const kept = new Set(others.flatMap(({ record }) => chainIds(record.config.diffIds)));
  const chains = chainIds(image.record.config.diffIds).filter((chain) => !kept.has(chain));
  return { entries: left, steps: [image.id, ...chains.reverse()].map((digest) => ({ Deleted: digest })) };
}

/** With its last tag in a repository an image loses what that repository's registry called it. */
function orphanedDigests(image: IndexedImage, removed: string): string[] {
  if (removed.includes('@')) return [];
  const repository = repositoryOf(removed);
  const rest = namesOf(image.entries).filter((name) => name !== removed && repositoryOf(name) === repository);
  return rest.every((name) => name.includes('@')) ? rest : [];
}

/** One tag at most, and all digests in that tag's repository. */
function isSingleReference(names: readonly string[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter((name) => !name.includes('@'));
  return tags.length <= 1 && new Set(names.map(repositoryOf)).size === 1;
}

/** The manifests, and the lists that their names by digest stand for. */
function digestsOf(entries: readonly IndexEntry[]): Digest[] {
  const digests = new Set<Digest>();
  for (const { digest, name } of entries) {
    digests.add(digest);
    const listed = name?.includes('@') === true ? tryDigest(name) : undefined;
    if (listed) digests.add(listed);
  }
  return [...digests];
}

function tryDigest(name: string): Digest | undefined {
  try {
    return parseReference(name).digest;
  } catch {
    return undefined;
  }
}

function namesOf(entries: readonly IndexEntry[]): string[] {
  return entries.flatMap(({ name }) => (name === undefined ? [] : [name]));
}

function repositoryOf(name: string): string {
  try {
    return repositoryName(parseReference(name));
  } catch {
    return name;
  }
}

function untagged(name: string): RemovalStep {
  return { Untagged: familiarize(name) };
}

function shortImage(id: Digest): string {
  return shortId(digestHex(id));
}

function shortId(id: string): string {
  return id.slice(0, 12);
}

function conflict(text: string): ImageError {
  return new ImageError('CONFLICT', `conflict: ${text}`);
}
