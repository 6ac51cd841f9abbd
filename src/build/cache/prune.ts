/** `builder prune`: takes away what builds have left for later ones. */
import { existsSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureHolder, type Holder } from '../../holder/holder.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { releaseSpace } from '../../image/store/sweep.ts';
import type { StatePaths } from '../../state/paths.ts';
import { tryLock } from '../../state/lock.ts';
import { removeTrees } from '../../storage/remove-tree.ts';
import { cacheMountsFolder } from '../steps/cache-folder.ts';
import { StepCache } from './step-cache.ts';

export interface CacheItem {
  readonly id: string;
  readonly kind: 'regular' | 'exec.cachemount';
  readonly description: string;
  /** Bytes of its files. */
  readonly size: number;
  /** Last use, ms. */
  readonly used: number;
}

export interface PruneOptions {
  /** Cache mounts as well. */
  readonly all: boolean;
  readonly passes: (item: CacheItem) => boolean;
}

/** Everything that there is, the latest first. */
export function cacheItems({ builds }: StatePaths, { layout }: ImageStore): CacheItem[] {
  const steps = new StepCache(builds, layout).list().map(({ key, record, used }): CacheItem => {
    return { id: key, kind: 'regular', description: record.description, size: record.layer?.contentBytes ?? 0, used };
  });
  const folder = cacheMountsFolder(builds);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const mounts = names.map((name): CacheItem => {
    const path = join(folder, name);
    const used = statSync(path).mtimeMs;
    return { id: name, kind: 'exec.cachemount', description: 'cache mount', size: folderSize(path), used };
  });
  return [...steps, ...mounts].sort((a, b) => b.used - a.used);
}

/** Removes them; returns what has gone. A cache mount that is in use stays. */
export async function pruneCache(
  paths: StatePaths,
  store: ImageStore,
  { all, passes }: PruneOptions,
): Promise<CacheItem[]> {
  const { layout } = store;
  const cache = new StepCache(paths.builds, layout);
  const removed: CacheItem[] = [];
  const candidates = cacheItems(paths, store).filter((item) => (all || item.kind === 'regular') && passes(item));
  for (const item of candidates) {
    if (item.kind === 'regular') cache.remove(item.id);
    else if (!(await removeMount(await ensureHolder(paths), join(cacheMountsFolder(paths.builds), item.id)))) continue;
    removed.push(item);
  }
  cache.removeStrayPins();
  // With the records go the layers that no image needs.
  releaseSpace(layout);
  return removed;
}

async function removeMount(holder: Holder, path: string): Promise<boolean> {
  const lock = tryLock(join(path, 'lock'));
  if (lock === undefined) return false;
  try {
    await removeTrees(holder, [join(path, 'data')]);
    rmSync(path, { recursive: true, force: true });
    return true;
  } finally {
    lock[Symbol.dispose]();
  }
}

/** What can be seen of it: files of other ids in closed folders are not counted. */
function folderSize(path: string): number {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch {
    return 0;
  }
  return names.reduce((sum, name) => {
    const stat = lstatSync(join(path, name), { throwIfNoEntry: false });
    if (stat === undefined) return sum;
    return sum + (stat.isDirectory() ? folderSize(join(path, name)) : stat.size);
  }, 0);
}
