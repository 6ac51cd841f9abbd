/**
 * The part of a lazy pull that a container waits for: manifest, config, and the layers' tables of contents, from which the merged
 * tree is made. Files come when they are read, the rest in the background (fetcher.ts).
 */
import { LayerListWriter, mergeLayers } from 'fuse-overlay';
import { keepBlob } from '../commit-image.ts';
import { parseImageConfig } from '../config.ts';
import type { Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { CONFIG_LIMIT } from '../manifest.ts';
import { hostPlatform, parsePlatform } from '../platform.ts';
import { resolveManifest } from '../pull/resolve-manifest.ts';
import { canonicalReference, familiarReference, repositoryName, type Reference } from '../reference.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import { beginAddition } from '../store/activity.ts';
import { hasLayerList } from '../store/durability.ts';
import { nameImage } from '../store/index-file.ts';
import { tidyUp } from '../store/sweep.ts';
import { updateIndex } from '../store/update-index.ts';
import { LazyImage } from './lazy-image.ts';
import { hasContentsTable, readContentsTable } from './read-table.ts';

export interface LazyStart {
  readonly manifest: Digest;
  /** Everything was there already: nothing is lazy about it. */
  readonly isWhole: boolean;
}

/**
 * Makes an image startable. Undefined where it has a layer without a table of contents, which only a whole pull can bring. Throws as
 * a pull does.
 */
export async function beginLazyPull(
  store: ImageStore,
  reference: Reference,
  platformText: string | undefined,
): Promise<LazyStart | undefined> {
  const { layout } = store;
  const platform = platformText === undefined ? hostPlatform() : parsePlatform(platformText);
  const session = openRegistry(store, reference.domain);
  const client = new RegistryClient(session);
  const name = familiarReference(reference);
  try {
    const resolved = await resolveManifest(client, reference, platform, undefined);
    const { manifest, digest, bytes, named } = resolved;
    const configBytes = await client.fetchBlob(
      ...([reference.path, manifest.config.digest, CONFIG_LIMIT, `The config of ${name}`, undefined] as const),
    );
    const config = parseImageConfig(configBytes, name);
    const isThere = config.diffIds.map((diffId) => hasLayerList(layout, diffId));
    if (config.diffIds.length !== manifest.layers.length) {
      throw new ImageError('INVALID', `${name} has ${manifest.layers.length} layers, its config lists others`);
    }
    if (!manifest.layers.every((layer, index) => isThere[index] === true || hasContentsTable(layer))) return undefined;
    const isWhole = isThere.every(Boolean);
    const lazy = new LazyImage(layout, digest);
    using addition = await beginAddition(layout);
    if (!isWhole) {
      lazy.begin();
      const lists = await Promise.all(
        manifest.layers.map(async (layer, index) => {
          if (isThere[index] === true) return layout.layerList(config.diffIds[index]!);
          const table = await readContentsTable(layer, (start, end) =>
            client.fetchRange(reference.path, layer.digest, start, end, undefined),
          );
          const writer = new LayerListWriter();
          for (const entry of table.entries) writer.add(entry);
          writer.commit(lazy.list(layer.digest));
          lazy.setPlaces(layer.digest, table.places);
          return lazy.list(layer.digest);
        }),
      );
      mergeLayers(lists, layout.tree(digest));
    }
    for (const blob of [configBytes, bytes, named.bytes]) keepBlob(layout, blob);
    if (!isWhole) {
      const platformField = platformText === undefined ? {} : { platform: platformText };
      const record = {
        version: 1,
        reference: canonicalReference(reference),
        manifest: digest,
        began: Date.now(),
      } as const;
      lazy.commit({ ...record, ...platformField });
    }
    const entry = { mediaType: manifest.mediaType, digest, size: bytes.length };
    const { domain, path, tag } = reference;
    const names = [`${repositoryName(reference)}@${named.digest}`];
    if (tag !== undefined && reference.digest === undefined) names.push(canonicalReference({ domain, path, tag }));
    await updateIndex(layout, (entries) => names.reduce((current, each) => nameImage(current, entry, each), entries));
    addition.finished();
    return { manifest: digest, isWhole };
  } finally {
    session.close();
    tidyUp(layout);
  }
}
