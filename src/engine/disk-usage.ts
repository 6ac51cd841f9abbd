/** `system df`: what trun's things take up on disk, to the byte. */
import { ensureHolder } from '../holder/holder.ts';
import type { Digest } from '../image/digest.ts';
import { openImageStore } from '../image/image-store.ts';
import { listOwnImages } from '../image/queries/list-images.ts';
import type { StoredImage } from '../image/queries/stored-images.ts';
import { storeUsage, type ImageUsage, type StoreUsage } from '../image/store/disk-usage.ts';
import type { StatePaths } from '../state/paths.ts';
import { measureFolders } from '../storage/measure-folders.ts';
import { listContainers, type Container } from './container.ts';
import { listVolumes, volumeData, type Volume } from './volumes.ts';
import { writtenFolder } from './writable-size.ts';

export interface DiskUsage {
  readonly store: StoreUsage;
  readonly images: readonly { image: StoredImage; usage: ImageUsage; containers: number }[];
  /** Bytes by which the store would be less without the images that no container uses. */
  readonly reclaimableImages: number;
  readonly containers: readonly { container: Container; bytes: number }[];
  readonly volumes: readonly { volume: Volume; bytes: number; links: number }[];
}

export async function diskUsage(paths: StatePaths): Promise<DiskUsage> {
  const imageStore = openImageStore(paths.images);
  const containers = listContainers(paths);
  const users = new Map<string, number>();
  for (const { config } of containers) {
    if (config.image) users.set(config.image.id, (users.get(config.image.id) ?? 0) + 1);
  }
  const store = storeUsage(imageStore, (id: Digest) => users.has(id));
  const byId = new Map(store.images.map((usage) => [usage.id, usage]));
  const images = listOwnImages(imageStore, () => undefined).flatMap((image) => {
    const usage = byId.get(image.id);
    return usage ? [{ image, usage, containers: users.get(image.id) ?? 0 }] : [];
  });
  const volumes = listVolumes(paths);
  const folders = [...containers.map(writtenFolder), ...volumes.map(({ name }) => volumeData(paths, name))];
  const sizes = folders.length === 0 ? [] : await measureFolders(await ensureHolder(paths), folders);
  return {
    store,
    images,
    reclaimableImages: store.unusedBytes,
    containers: containers.map((container, index) => ({ container, bytes: sizes[index]! })),
    volumes: volumes.map((volume, index) => ({
      volume,
      bytes: sizes[containers.length + index]!,
      links: containers.filter(({ config }) => Object.values(config.volumes).includes(volume.name)).length,
    })),
  };
}
