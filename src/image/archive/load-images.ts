/**
 * `load`: images from an archive, of the kind that Docker writes (manifest.json; "docker-archive" to others) or of an OCI layout.
 * Newer Docker writes both in one: then the OCI part counts, which has the digests.
 */
import { isObject, parseJsonObject } from '../json.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { hostPlatform, parsePlatform } from '../platform.ts';
import { beginAddition } from '../store/activity.ts';
import { tidyUp } from '../store/sweep.ts';
import { UnpackerPool } from '../unpack/unpacker-pool.ts';
import { spoolArchive } from './archive-files.ts';
import { loadDockerImages } from './load-docker.ts';
import { loadOciImages } from './load-oci.ts';

/** An image that has been loaded. */
export interface LoadedImage {
  readonly id: string;
  /** As Docker shows them; none: the archive gives it no name. */
  readonly names: readonly string[];
}

export interface LoadOptions {
  /** Of indexes with several: the one to take. Default: the host's. */
  readonly platform?: string;
}

/** Throws INVALID, UNSUPPORTED, NO_SPACE or DAMAGED; then nothing has been loaded. `shownAs`: the archive for errors. */
export async function loadImages(
  store: ImageStore,
  source: AsyncIterable<Buffer>,
  shownAs: string,
  options: LoadOptions = {},
): Promise<LoadedImage[]> {
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  try {
    using addition = await beginAddition(store.layout);
    using files = await spoolArchive(store, source, shownAs);
    await using unpackers = new UnpackerPool();
    const load = { store, files, unpackers, platform };
    const index = files.find('index.json');
    const isOci = index !== undefined && namesManifests(files.read('index.json'));
    if (!isOci && !files.find('manifest.json')) {
      throw new ImageError('INVALID', `${shownAs} is no image archive: it has neither manifest.json nor index.json`);
    }
    const loaded = isOci ? await loadOciImages(load) : await loadDockerImages(load);
    addition.finished();
    return loaded;
  } finally {
    tidyUp(store.layout);
  }
}

function namesManifests(bytes: Buffer): boolean {
  const { manifests } = parseJsonObject(bytes, "The archive's index.json");
  return Array.isArray(manifests) && manifests.some(isObject);
}
