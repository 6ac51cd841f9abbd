import { openImageStore } from '../../image/image-store.ts';
import { LazyImage } from '../../image/lazy/lazy-image.ts';
import { resolveImage } from '../../image/queries/list-images.ts';
import type { CommandContext } from '../command.ts';

/** How far the fetching of an image is, or how long it took (ms); undefined where it has never been lazy. */
export function lazyState(context: CommandContext, image: string): { took?: number; percent: number } | undefined {
  const store = openImageStore(context.paths().images);
  let lazy: LazyImage;
  try {
    lazy = new LazyImage(store.layout, resolveImage(store, image).manifestDigest);
  } catch {
    // Removed meanwhile.
    return undefined;
  }
  if (!lazy.exists) {
    const took = lazy.took();
    return took === undefined ? undefined : { took, percent: 100 };
  }
  const { total, loaded } = lazy.progress() ?? { total: 0, loaded: 0 };
  return { percent: total === 0 ? 0 : Math.min(Math.floor((100 * loaded) / total), 99) };
}
