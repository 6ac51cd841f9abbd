/** The quota of a writable layer, which may change while its container runs. */
import type { LayerQuota } from '../image-server/mount-record.ts';
import type { ContainerConfig, ContainerRequest } from './container.ts';
import { EngineError } from './engine-error.ts';

/** Throws UNSUPPORTED for a kernel writable layer, which keeps to none. */
export function checkStorageQuota({ writable, name }: ContainerConfig): void {
  if (writable === 'fuse') return;
  throw new EngineError(
    'UNSUPPORTED',
    `Cannot limit the writable layer of container ${name}: the kernel keeps it, which knows no quota for users; ` +
      'create the container with --storage-opt writable=fuse',
  );
}

/** Without the limits that are none. */
export function layerQuota({ size, inodes }: ContainerRequest['storage']): LayerQuota {
  return { ...(size ? { size } : {}), ...(inodes ? { inodes } : {}) };
}
