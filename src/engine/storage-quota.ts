/** `update --storage-opt`: another quota for a writable layer, while its container runs, too. */
import { setMountQuota } from '../image-server/client.ts';
import type { LayerQuota } from '../image-server/mount-record.ts';
import type { Container } from './container.ts';
import { saveConfig, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';

/** What is absent stays as it is. Throws UNSUPPORTED for a kernel writable layer, which keeps to no quota. */
export async function setStorageQuota(
  { paths }: EngineContext,
  { config, folder }: Container,
  change: LayerQuota,
): Promise<ContainerStorage> {
  if (config.writable !== 'fuse') {
    throw new EngineError(
      'UNSUPPORTED',
      `Cannot limit the writable layer of container ${config.name}: the kernel keeps it, which knows no quota for users; ` +
        'create the container with --storage-opt writable=fuse',
    );
  }
  const storage = { ...config.request.storage, ...change };
  // First what the next start reads: an update that is killed here has not been answered yet.
  saveConfig(folder, { ...config, request: { ...config.request, storage } });
  const { size, inodes } = storage;
  const quota = { ...(size === undefined ? {} : { size }), ...(inodes === undefined ? {} : { inodes }) };
  await setMountQuota(paths, config.id, quota);
  return storage;
}

type ContainerStorage = Container['config']['request']['storage'];
