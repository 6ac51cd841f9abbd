/** What a container has written: `diff`, `export` and `commit` read it, whether the container runs or not. */
import { ensureHolder } from '../holder/holder.ts';
import type { ContainerChange } from '../image/layer/container-changes.ts';
import type { NewLayer, StoreLayerOptions } from '../image/layer/store-layer.ts';
import type { StatePaths } from '../state/paths.ts';
import { writableLayer } from '../storage/probe.ts';
import type { LayerArchive, ReadContext } from '../storage/writable-layer.ts';
import type { Container } from './container.ts';
import { openEngineImages } from './images.ts';
import { findLower } from './lower.ts';

/** In the order of paths. Throws NOT_FOUND where the container's image has been removed. */
export async function containerChanges(paths: StatePaths, container: Container): Promise<ContainerChange[]> {
  return writableLayer(container.config.writable).changes(await readContext(paths, container));
}

/** The whole file system, mounts and volumes aside, as a tar archive. */
export async function exportContainer(paths: StatePaths, container: Container): Promise<LayerArchive> {
  return writableLayer(container.config.writable).archive(await readContext(paths, container), true);
}

/** Puts what has been written into the image store. The caller has announced the addition. */
export async function storeContainerLayer(
  paths: StatePaths,
  container: Container,
  options: StoreLayerOptions,
): Promise<NewLayer> {
  const context = await readContext(paths, container);
  return writableLayer(container.config.writable).store(context, { root: paths.images, ...options });
}

async function readContext(paths: StatePaths, { config, folder }: Container): Promise<ReadContext> {
  const holder = await ensureHolder(paths);
  const lower = findLower({ images: openEngineImages(paths) }, config, holder.map);
  return { paths, holder, id: config.id, folder, lower };
}
