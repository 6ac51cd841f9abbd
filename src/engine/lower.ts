/** What a container's root is made from: the host, a folder, or an image. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { IdMap } from '../holder/id-map.ts';
import type { ImageRunConfig } from '../oci/image-config.ts';
import type { Lower } from '../storage/writable-layer.ts';
import type { ContainerConfig, ContainerRequest } from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import type { RunnableImage } from './images.ts';

/** The pseudo image: the machine's own root file system. */
export const HOST_IMAGE = 'host';

/** What a shell on the host would start from. */
const HOST_CONFIG: ImageRunConfig = { Cmd: ['sh'], WorkingDir: '/' };

export interface Source {
  /** Absent for the host and for folders. */
  readonly image?: RunnableImage;
  readonly config: ImageRunConfig;
}

/**
 * What a container is made from. `known` is the image that the container has been made from, whatever its name means by
 * now. Throws NOT_FOUND in Docker's words.
 */
export function findSource(
  context: EngineContext,
  request: ContainerRequest,
  known?: ContainerConfig['image'],
): Source {
  if (request.rootfs !== undefined) {
    if (!statSync(request.rootfs, { throwIfNoEntry: false })?.isDirectory()) {
      throw new EngineError('INVALID', `Cannot use the root file system ${request.rootfs}: it is not a folder`);
    }
    return { config: HOST_CONFIG };
  }
  if (request.image === HOST_IMAGE) return { config: HOST_CONFIG };
  const image = context.images.find(known?.id ?? request.image);
  return { image, config: image.config };
}

/** The lower layer of a container that exists. Throws NOT_FOUND where its image has been removed. */
export function findLower(
  context: Pick<EngineContext, 'images'>,
  { image, request }: ContainerConfig,
  map: IdMap,
): Lower {
  const owner = map.kind === 'single';
  if (image === undefined) {
    const path = request.rootfs ?? '/';
    const key = `folder-${createHash('sha256').update(path).digest('hex').slice(0, 24)}`;
    return { key, content: { kind: 'directory', path, owner } };
  }
  const tree = context.images.findTree(image.manifest);
  if (tree === undefined)
    throw new EngineError('NOT_FOUND', `No such image: ${request.image} (${image.id}): it has been removed`);
  return {
    key: imageMountKey(image.manifest),
    content: {
      kind: 'tree',
      ...tree,
      owner,
      order: context.images.readOrder(image.manifest),
    },
  };
}

/** The name of an image's mount, from its manifest's digest. */
export function imageMountKey(manifest: string): string {
  return manifest.replace(/^sha256:/, '');
}
