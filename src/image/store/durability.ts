/**
 * What a power failure may take. Contents are written without fsync, for thousands of small files would cost more than all the
 * rest of a pull, and other people's dirty pages with them. Instead each new layer is marked with the boot in which it was
 * written. In that boot the page cache has everything; after the next one a marked layer's contents are measured once: file
 * systems write a file's size after its data, so a file of the right size is whole.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { contentPath, readLayerList } from 'fuse-overlay';
import { writeFileAtomic } from '../../state/atomic-file.ts';
import type { Digest } from '../digest.ts';
import type { StoreLayout } from './layout.ts';

/** Marks a layer, before its list gives it existence. */
export function markUnproven(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // Found empty after a crash of the machine it is a mark of another boot, which is what it is for.
  writeFileAtomic(path, bootId(), 0o600, 'none');
}

/** Whether a layer exists with all its contents. One that a crash damaged stops existing, so that the next pull makes it again. */
export function hasLayerList(layout: StoreLayout, diffId: Digest): boolean {
  const list = layout.layerList(diffId);
  if (!existsSync(list)) return false;
  const mark = layout.unprovenLayer(diffId);
  const boot = readMark(mark);
  if (boot === undefined || boot === bootId()) return true;
  const isWhole = hasAllContents(layout, list);
  try {
    if (!isWhole) rmSync(list, { force: true });
    rmSync(mark, { force: true });
  } catch (error) {
    // A store of somebody else's: that one's next pull mends it.
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  return isWhole;
}

function hasAllContents(layout: StoreLayout, list: string): boolean {
  for (const { contentId, size } of readLayerList(list)) {
    if (!contentId) continue;
    const stat = statSync(join(layout.files, contentPath(contentId)), { throwIfNoEntry: false });
    if (stat?.size !== size) return false;
  }
  return true;
}

function readMark(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** random(4) */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
