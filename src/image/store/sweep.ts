/**
 * Deletes what no image needs. Order matters, for we may be killed in between: a tree goes before its layers and a layer's list
 * before its contents, so whatever still exists is still complete.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { contentPath } from 'fuse-overlay';
import { syncFolder } from '../../state/atomic-file.ts';
import { digestHex, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import { LazyImage, lazyLists } from '../lazy/lazy-image.ts';
import { readUnfinished, tryDeletion, type Unfinished } from './activity.ts';
import { readImageRecord, type ImageRecord } from './image-record.ts';
import type { StoreLayout } from './layout.ts';
import { addContents, liveSet, type LiveSet } from './live-set.ts';

/** How long a killed or failed pull may be continued from what it left: downloads, and layers that are complete. */
const PARTIAL_LIFE = 7 * 24 * 3600_000;
const LEFTOVER_LIFE = 24 * 3600_000;

const digestName = /^[0-9a-f]{64}$/;

/**
 * Carries out noted removals, and clears up after pulls that were killed long enough ago. Does nothing while somebody adds: the
 * last one to add calls this, too. `now`: ms, for tests.
 */
export function tidyUp(layout: StoreLayout, now = Date.now()): void {
  if (readdirSync(layout.unfinished).length === 0) return;
  using lock = tryDeletion(layout);
  if (!lock) return;
  removeTemporary(layout);
  const { pulls, removals } = readUnfinished(layout);
  const ripe = pulls.filter(({ began }) => began < now - LEFTOVER_LIFE);
  if (removals.length === 0 && ripe.length === 0) return;
  withLiveSet(layout, (live) => {
    removeImages(layout, live, removals);
    if (ripe.length > 0)
      sweepEverything(layout, live, { leftovers: now - LEFTOVER_LIFE, partials: now - PARTIAL_LIFE });
    for (const { path } of [...removals, ...ripe]) rmSync(path, { force: true });
    removeLayerLocks(layout);
  });
}

/** On a full disk: gives back at once what failed pulls unpacked. Downloads stay, so the next pull goes on from them. */
export function releaseSpace(layout: StoreLayout, now = Date.now()): void {
  using lock = tryDeletion(layout);
  if (!lock) return;
  removeTemporary(layout);
  withLiveSet(layout, (live) => {
    sweepEverything(layout, live, { leftovers: Infinity, partials: now - PARTIAL_LIFE });
  });
}

/** Nobody adds, so nobody has files without a name; what a killed program left (a spooled archive) may be large. */
function removeTemporary(layout: StoreLayout): void {
  for (const name of readdirSync(layout.temporary)) {
    rmSync(join(layout.temporary, name), { recursive: true, force: true });
  }
}

/** Where an image can't be read nobody knows what it needs, and nothing may go until it is mended or removed. */
function withLiveSet(layout: StoreLayout, action: (live: LiveSet) => void): void {
  let live: LiveSet;
  try {
    live = liveSet(layout);
  } catch (error) {
    if (error instanceof ImageError) return;
    throw error;
  }
  action(live);
}

function removeImages(layout: StoreLayout, live: LiveSet, removals: Unfinished['removals']): void {
  const digests = new Set(removals.flatMap((removal) => removal.digests));
  const dead = [...digests].filter(
    (digest) => !live.trees.has(digestHex(digest)) && !live.blobs.has(digestHex(digest)),
  );
  for (const digest of dead) {
    const paths = [layout.tree(digest), layout.readOrder(digest), join(layout.lazy, `${digestHex(digest)}.json`)];
    for (const path of paths) rmSync(path, { force: true });
    new LazyImage(layout, digest).remove();
  }
  const records = dead.flatMap((digest) => readableRecord(layout, digest));
  const diffIds = records.flatMap(({ config }) => config.diffIds.map(digestHex));
  removeLayers(layout, new Set(diffIds.filter((name) => !live.layers.has(name))));
  const parts = records.flatMap(({ manifest }) => [
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
  ]);
  // The manifest goes last: it leads to the rest if we are killed.
  for (const digest of [...parts, ...dead]) {
    if (live.blobs.has(digestHex(digest))) continue;
    rmSync(join(layout.elsewhere, digestHex(digest)), { force: true });
    rmSync(layout.blob(digest), { force: true });
  }
}

/** A list of images or a damaged image leads to nothing: then the general sweep finds its parts some day. */
function readableRecord(layout: StoreLayout, digest: Digest): ImageRecord[] {
  try {
    return [readImageRecord(layout, digest)];
  } catch (error) {
    if (error instanceof ImageError) return [];
    throw error;
  }
}

/** Nobody adds, so nobody holds one or waits for one. */
function removeLayerLocks(layout: StoreLayout): void {
  for (const name of readdirSync(layout.locks)) {
    if (digestName.test(name)) rmSync(join(layout.locks, name), { force: true });
  }
}

/** Removes layers' lists, and then the contents that no other list names. */
function removeLayers(layout: StoreLayout, layers: ReadonlySet<string>): void {
  const lists = [...layers].map((name) => join(layout.layers, name)).filter((path) => existsSync(path));
  if (lists.length === 0) return;
  const candidates = new Set<string>();
  addContents(candidates, lists);
  for (const list of lists) rmSync(list, { force: true });
  removeMarks(layout);
  syncFolder(layout.layers);
  const needed = neededContents(layout);
  for (const id of candidates) {
    if (!needed.has(id)) rmSync(join(layout.files, contentPath(Buffer.from(id, 'hex'))), { force: true });
  }
}

/** `before`: times (ms); what is no image's and was made earlier goes. */
function sweepEverything(layout: StoreLayout, live: LiveSet, before: { leftovers: number; partials: number }): void {
  removeDead(layout.trees, live.trees, before.leftovers);
  removeDead(layout.orders, live.trees, before.leftovers);
  removeDead(layout.layers, live.layers, before.leftovers);
  removeMarks(layout);
  syncFolder(layout.layers);
  const needed = neededContents(layout);
  for (const folder of readdirSync(layout.files)) {
    for (const name of readdirSync(join(layout.files, folder))) {
      if (!needed.has(folder + name)) removeOlder(join(layout.files, folder, name), before.leftovers);
    }
  }
  removeDead(layout.blobs, live.blobs, before.partials);
  removeDead(layout.elsewhere, live.blobs, before.partials);
  removeDead(layout.partial, new Set(), before.partials);
  // Others may just be replacing the index or noting a removal, which takes them no day.
  for (const folder of [layout.root, layout.unfinished]) {
    for (const name of readdirSync(folder)) {
      if (name.endsWith('.tmp')) removeOlder(join(folder, name), before.leftovers === Infinity ? 0 : before.leftovers);
    }
  }
}

/** Contents of all layers that exist: also those of interrupted pulls are complete and will be found to exist. */
function neededContents(layout: StoreLayout): Set<string> {
  const needed = new Set<string>();
  const lists = readdirSync(layout.layers).filter((name) => digestName.test(name));
  addContents(needed, [...lists.map((name) => join(layout.layers, name)), ...lazyLists(layout)]);
  return needed;
}

/** Of layers that are gone: marks, and notes of what they pack to. */
function removeMarks(layout: StoreLayout): void {
  const left = new Set(readdirSync(layout.layers));
  for (const folder of [layout.unproven, layout.packed]) {
    for (const name of readdirSync(folder)) if (!left.has(name)) rmSync(join(folder, name), { force: true });
  }
}

function removeDead(folder: string, live: ReadonlySet<string>, before: number): void {
  for (const name of readdirSync(folder)) {
    // Another name is a file that did not get its own.
    if (!live.has(name)) removeOlder(join(folder, name), digestName.test(name) ? before : Infinity);
  }
}

function removeOlder(path: string, limit: number): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && stat.mtimeMs < limit) rmSync(path, { force: true });
}
