/** What containers take up on disk, as `ps --size` shows it. */
import { ensureHolder } from '../holder/holder.ts';
import { openImageStore } from '../image/image-store.ts';
import { listImages } from '../image/queries/list-images.ts';
import type { StatePaths } from '../state/paths.ts';
import { measureFolders } from '../storage/measure-folders.ts';
import type { Container } from './container.ts';
import { writtenFolder } from './writable-size.ts';

/** In bytes. */
export interface ContainerSize {
  readonly written: number;
  /** What is written and the image together; absent where there is no image, or not any more. */
  readonly withImage?: number;
}

/** The containers' sizes by id, files of any of the user's ids included. */
export async function containerSizes(
  paths: StatePaths,
  containers: readonly Container[],
): Promise<Map<string, ContainerSize>> {
  if (containers.length === 0) return new Map();
  const stored = listImages(openImageStore(paths.images), () => undefined);
  const images = new Map(stored.map(({ id, size }) => [id as string, size]));
  const written = await measureFolders(await ensureHolder(paths), containers.map(writtenFolder));
  return new Map(
    containers.map(({ config }, index) => {
      const own = written[index]!;
      const image = images.get(config.image?.id ?? '');
      return [config.id, { written: own, ...(image === undefined ? {} : { withImage: own + image }) }];
    }),
  );
}
