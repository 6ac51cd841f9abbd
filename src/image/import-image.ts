import { commitImage, type CommittedImage } from './commit-image.ts';
import { changeConfig } from './config-change.ts';
import type { ImageStore } from './image-store.ts';
import { addLayer } from './layer/add-layer.ts';
import { hostPlatform, parsePlatform } from './platform.ts';
import type { Reference } from './reference.ts';
import { beginAddition } from './store/activity.ts';
import { tidyUp } from './store/sweep.ts';

export interface ImportOptions {
  readonly reference?: Reference;
  readonly message?: string;
  readonly changes: readonly string[];
  /** Default: the host's. */
  readonly platform?: string;
}

/** Makes an image of a single layer from an archive of a file system, plain, gzip or zstd. Throws ImageError. */
export async function importImage(
  store: ImageStore,
  archive: AsyncIterable<Buffer>,
  source: string,
  options: ImportOptions,
): Promise<CommittedImage> {
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  let config: Record<string, unknown> = {};
  for (const change of options.changes) config = changeConfig(config, change);
  try {
    using addition = await beginAddition(store.layout);
    const layer = await addLayer(store, archive, source);
    const created = new Date().toISOString();
    const comment = options.message ?? `Imported from ${source}`;
    const image = await commitImage(store, {
      config: {
        created,
        ...platform,
        config,
        rootfs: { type: 'layers', diff_ids: [layer.diffId] },
        history: [{ created, comment }],
      },
      layers: [layer.descriptor],
      references: options.reference === undefined ? [] : [options.reference],
    });
    addition.finished();
    return image;
  } finally {
    tidyUp(store.layout);
  }
}
