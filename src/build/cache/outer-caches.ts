/** `--cache-from` and `--cache-to`: steps that come from other machines, and go to them. */
import { parseReference, withDefaultTag } from '../../image/reference.ts';
import { pushImage } from '../../image/push/push-image.ts';
import type { BuildSession } from '../session.ts';
import { exportFolderCache, importFolderCache } from './folder-cache.ts';
import { importImageCache } from './image-cache.ts';

/** A cache that is not there is told, and no failure: the first build of all has none. */
export async function importCaches({ request, store, cache, progress, signal }: BuildSession): Promise<void> {
  for (const { type, place } of request.cacheFrom) {
    if (type === 'inline') continue;
    const events = progress.step(`importing cache manifest from ${place}`);
    events.begin();
    try {
      const count = await (type === 'local'
        ? importFolderCache(store, cache, place)
        : importImageCache(store, cache, place, signal));
      events.note(`${count} steps`);
      events.done();
    } catch (error) {
      if (signal.aborted) throw error;
      events.note(`WARNING: ${(error as Error).message}`);
      events.done();
    }
  }
}

export async function exportCaches({ request, store, records, progress, signal }: BuildSession): Promise<void> {
  for (const { type, place } of request.cacheTo) {
    if (type === 'inline') continue;
    const events = progress.step(`exporting cache to ${type === 'local' ? 'client directory' : place}`);
    events.begin();
    try {
      if (type === 'local') await exportFolderCache(store, place, records);
      else await pushImage(store, withDefaultTag(parseReference(place)), { signal });
      events.done();
    } catch (error) {
      events.fail((error as Error).message);
      throw error;
    }
  }
}
