/** `commit`: an image of what a container has become. */
import { commitImage, type CommittedImage } from '../image/commit-image.ts';
import { changeConfig, type ConfigDocument } from '../image/config-change.ts';
import { ImageError } from '../image/image-error.ts';
import { openImageStore } from '../image/image-store.ts';
import { resolveImage } from '../image/queries/list-images.ts';
import { adoptImage } from '../image/queries/shared-images.ts';
import type { Reference } from '../image/reference.ts';
import { beginAddition } from '../image/store/activity.ts';
import { tidyUp } from '../image/store/sweep.ts';
import type { StatePaths } from '../state/paths.ts';
import type { Container } from './container.ts';
import { storeContainerLayer } from './container-layer.ts';

export interface CommitOptions {
  readonly reference?: Reference;
  readonly author?: string;
  readonly message?: string;
  /** Dockerfile instructions for the image's config. */
  readonly changes: readonly string[];
}

/** Throws ImageError, or NOT_FOUND where the container's image has been removed. */
export async function commitContainer(
  paths: StatePaths,
  container: Container,
  options: CommitOptions,
): Promise<CommittedImage> {
  const store = openImageStore(paths.images);
  try {
    if (container.config.image) await adoptImage(store, container.config.image.manifest);
    using addition = await beginAddition(store.layout);
    const { config } = container;
    if (config.image === undefined) {
      throw new ImageError('UNSUPPORTED', `Cannot commit ${config.name}: it was not made from an image`);
    }
    const base = resolveImage(store, config.image.manifest);
    const layer = await storeContainerLayer(paths, container, {});
    const document = base.config.document as ConfigDocument;
    const created = new Date().toISOString();
    const { history = [], rootfs, ...rest } = document;
    // Of Docker's fields about the container of a build, none is true of this one.
    for (const key of ['container', 'container_config', 'id', 'parent']) Reflect.deleteProperty(rest, key);
    const runConfig = containerConfig(document.config ?? {}, container);
    const image = await commitImage(store, {
      config: {
        ...rest,
        created,
        ...(options.author === undefined ? {} : { author: options.author }),
        config: options.changes.reduce((current, change) => changeConfig(current, change), runConfig),
        rootfs: { type: 'layers', diff_ids: [...(rootfs?.diff_ids ?? []), layer.diffId] },
        history: [
          ...history,
          {
            created,
            created_by: config.command.join(' '),
            ...(options.author === undefined ? {} : { author: options.author }),
            ...(options.message === undefined ? {} : { comment: options.message }),
          },
        ],
      },
      layers: [...base.manifest.layers, layer.descriptor],
      references: options.reference === undefined ? [] : [options.reference],
    });
    addition.finished();
    return image;
  } finally {
    tidyUp(store.layout);
  }
}

/** The image's config with what `run` said about the container, as Docker commits it. */
function containerConfig(image: Record<string, unknown>, { config }: Container): Record<string, unknown> {
  const { options, labels, stopSignal } = config.request;
  const own = new Map((options.env ?? []).map((variable) => [variable.split('=')[0]!, variable]));
  const inherited = ((image['Env'] as string[] | undefined | null) ?? []).filter(
    (variable) => !own.has(variable.split('=')[0]!),
  );
  return {
    ...image,
    Env: [...inherited, ...own.values()],
    ...(options.user === undefined ? {} : { User: options.user }),
    ...(options.workdir === undefined ? {} : { WorkingDir: options.workdir }),
    ...(options.entrypoint === undefined ? {} : { Entrypoint: options.entrypoint }),
    ...((options.args ?? []).length === 0 ? {} : { Cmd: options.args }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: { ...(image['Labels'] as object | undefined), ...labels } }),
  };
}
