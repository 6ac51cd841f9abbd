/** `image prune`, which `system prune` does as well. */
import { openImageStore } from '../../image/image-store.ts';
import { pruneImages, type PrunedImages } from '../../image/queries/prune-images.ts';
import type { StoredImage } from '../../image/queries/stored-images.ts';
import type { CommandContext } from '../command.ts';
import { filterBoolean, matchesLabel, parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { imageUsers } from './image-users.ts';

/** @param all also images that have names */
export async function pruneImagesOf(
  context: CommandContext,
  all: boolean,
  filters: readonly string[],
): Promise<PrunedImages> {
  // `dangling=false` is `-a`, as Docker has it.
  const isAll = all || filters.some((text) => /^dangling=/.test(text) && !filterBoolean('dangling', text.slice(9)));
  const passes = parseFilters<StoredImage>(filters, {
    dangling: () => true,
    label: (image, value) => matchesLabel(image.config.config.Labels ?? {}, value),
    'label!': (image, value) => !matchesLabel(image.config.config.Labels ?? {}, value),
    until: ({ created }, value) => Date.parse(created ?? '') < parseTimeBound(value, context.now),
  });
  const paths = context.paths();
  const pruned = await pruneImages(openImageStore(paths.images), { users: imageUsers(paths), all: isAll, passes });
  for (const manifest of pruned.manifests) await context.ask('forgetImage', { manifest });
  return pruned;
}
