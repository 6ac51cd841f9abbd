/** The image store as containers need it. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../image/digest.ts';
import { ImageError } from '../image/image-error.ts';
import { openImageStore } from '../image/image-store.ts';
import { ensureFetcher } from '../image/lazy/ensure-fetcher.ts';
import { resolveImage } from '../image/queries/list-images.ts';
import type { StoredImage } from '../image/queries/stored-images.ts';
import type { Platform } from '../image/platform.ts';
import type { ImageRunConfig } from '../oci/image-config.ts';
import type { StatePaths } from '../state/paths.ts';
import { EngineError } from './engine-error.ts';

export interface RunnableImage {
  /** Digest of the config. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly manifest: string;
  readonly platform: Platform;
  readonly config: ImageRunConfig;
}

export interface EngineImages {
  /** By reference, id, or beginning of an id. Throws NOT_FOUND in Docker's words. */
  find(reference: string): RunnableImage;
  /** The merged tree's index, and the content store that it points into; undefined where the image has been removed. */
  findTree(manifest: string): { readonly index: string; readonly files: string } | undefined;
  /** File that keeps what is read first of an image. */
  readOrder(manifest: string): string;
}

/** What was found is remembered until the store's index changes: a start should not read every image's record. */
export function openEngineImages(paths: StatePaths): EngineImages {
  const store = openImageStore(paths.images);
  const index = join(paths.images, 'index.json');
  let version = '';
  const found = new Map<string, RunnableImage>();
  return {
    find(reference) {
      const now = indexVersion(index);
      if (now !== version) found.clear();
      version = now;
      let image = found.get(reference);
      if (image === undefined) {
        image = runnable(find(reference));
        found.set(reference, image);
      }
      return image;
    },

    findTree(manifest) {
      ensureFetcher(store.layout, manifest as Digest, process.env);
      const owner = [store, ...store.shared].find(({ layout }) => existsSync(layout.tree(manifest as Digest)));
      return owner && { index: owner.layout.tree(manifest as Digest), files: owner.filesDir };
    },

    readOrder: (manifest) => store.layout.readOrder(manifest as Digest),
  };

  function find(reference: string): StoredImage {
    try {
      const image = resolveImage(store, reference);
      if (image.isUnpacked) return image;
      throw new EngineError(
        'NOT_FOUND',
        `The image ${reference} is in the store but was not unpacked: run 'trun pull ${reference}'`,
      );
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      const code = error.code === 'NOT_FOUND' || error.code === 'INVALID' ? error.code : 'FAILED';
      throw new EngineError(code, error.message, { cause: error });
    }
  }
}

function indexVersion(index: string): string {
  const stat = statSync(index, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.ino}-${stat.mtimeNs}`;
}

function runnable({ id, manifestDigest, config: { config, platform } }: StoredImage): RunnableImage {
  const { ExposedPorts, Volumes, Entrypoint, Cmd, Env, User, WorkingDir, Labels, StopSignal, Healthcheck } = config;
  return {
    id,
    manifest: manifestDigest,
    platform,
    config: {
      ...(User === undefined ? {} : { User }),
      ...(WorkingDir === undefined ? {} : { WorkingDir }),
      ...(StopSignal === undefined ? {} : { StopSignal }),
      ...(Healthcheck === undefined ? {} : { Healthcheck }),
      Env: [...(Env ?? [])],
      Entrypoint: Entrypoint === undefined ? null : [...Entrypoint],
      Cmd: Cmd === undefined ? null : [...Cmd],
      Labels: { ...Labels },
      ExposedPorts: Object.fromEntries((ExposedPorts ?? []).map((port) => [port, {}])),
      Volumes: Object.fromEntries((Volumes ?? []).map((path) => [path, {}])),
    },
  };
}
