/**
 * Images of stores that are only read (`additional-stores` in the configuration): run from where they are, by everybody on a machine.
 * What needs an image of one's own (a tag, a commit) copies it over first.
 */
import { constants, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { contentPath, readLayerList } from 'fuse-overlay';
import { enterImage } from '../commit-image.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { parseReference, type Reference } from '../reference.ts';
import { beginAddition } from '../store/activity.ts';
import { hasLayerList, markUnproven } from '../store/durability.ts';
import { allEntries, findImage, type FoundImage } from './stored-images.ts';

export interface FoundSomewhere {
  /** The store that has it. */
  readonly store: ImageStore;
  readonly found: FoundImage;
}

/** As `findImage`, in the user's own store and then in the shared ones. Throws what the own store says. */
export function findSomewhere(store: ImageStore, text: string): FoundSomewhere {
  try {
    return { store, found: findImage(store, text, allEntries(store)) };
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'NOT_FOUND') throw error;
    for (const shared of store.shared) {
      try {
        return { store: shared, found: findImage(shared, text, allEntries(shared)) };
      } catch {
        // Nor there, or it cannot be read.
      }
    }
    throw error;
  }
}

/** Sees to it that an image is in the user's own store, under the names that it has where it is. */
export async function adoptImage(store: ImageStore, text: string): Promise<void> {
  const { store: from, found } = findSomewhere(store, text);
  if (from === store) return;
  const { manifest, manifestDigest, config } = found.image.record;
  const [source, target] = [from.layout, store.layout];
  using addition = await beginAddition(target);
  function copy(path: string, to: string): void {
    if (existsSync(to) || !existsSync(path)) return;
    const temporary = join(target.temporary, `adopted-${process.pid}-${randomBytes(6).toString('hex')}`);
    copyFileSync(path, temporary, constants.COPYFILE_FICLONE);
    mkdirSync(dirname(to), { recursive: true });
    renameSync(temporary, to);
  }
  for (const diffId of config.diffIds) {
    if (hasLayerList(target, diffId)) continue;
    for (const { contentId } of readLayerList(source.layerList(diffId))) {
      if (contentId) copy(join(source.files, contentPath(contentId)), join(target.files, contentPath(contentId)));
    }
    markUnproven(target.unprovenLayer(diffId));
    copy(source.layerList(diffId), target.layerList(diffId));
  }
  for (const { digest } of manifest.layers) copy(source.blob(digest), target.blob(digest));
  const { mediaType, layers } = manifest;
  await enterImage(store, {
    manifest: { bytes: readFileSync(source.blob(manifestDigest)), mediaType, layers },
    config: readFileSync(source.blob(manifest.config.digest)),
    references: found.image.entries.flatMap(({ name }) => referenceOf(name)),
  });
  addition.finished();
}

/** Throws where an image is in a shared store alone, which is not ours to change. */
export function refuseShared(store: ImageStore, text: string): void {
  let somewhere: FoundSomewhere;
  try {
    somewhere = findSomewhere(store, text);
  } catch {
    return;
  }
  if (somewhere.store === store) return;
  throw new ImageError(
    'CONFLICT',
    `The image ${text} is in the shared store ${somewhere.store.layout.root}, which is only read`,
  );
}

function referenceOf(name: string | undefined): Reference[] {
  try {
    return name === undefined ? [] : [parseReference(name)];
  } catch {
    return [];
  }
}
