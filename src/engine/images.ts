/** The image store as containers need it. */
import { join } from 'node:path';
import type { ImageRunConfig } from '../oci/image-config.ts';
import type { StatePaths } from '../state/paths.ts';

export interface RunnableImage {
  /** Digest of the config. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly manifest: string;
  readonly config: ImageRunConfig;
}

export interface EngineImages {
  /** By reference, id, or beginning of an id. */
  find(reference: string): RunnableImage | undefined;
  /** Path of the merged tree's index. */
  findTree(manifest: string): string | undefined;
  /** The content store that trees point into. */
  readonly filesFolder: string;
}

export function openEngineImages(paths: StatePaths): EngineImages {
  return {
    find: () => undefined,
    findTree: () => undefined,
    filesFolder: join(paths.images, 'files'),
  };
}
