import { existsSync, rmSync } from 'node:fs';
import { mergeLayers } from 'fuse-overlay';
import { digestOf, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { StoreLayout } from './layout.ts';

/** image-spec config.md, "Layer ChainID": one for each number of layers, lowest first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chains.at(-1);
    chains.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chains;
}

/** The key of what layers make together; of none, that of the empty string. */
export function chainId(diffIds: readonly Digest[]): Digest {
  return chainIds(diffIds).at(-1) ?? digestOf('');
}

/** Merges stored layers into the tree at `path`, where there is none yet. `name`: the image for errors. */
export function mergeTree(layout: StoreLayout, diffIds: readonly Digest[], path: string, name: string): void {
  if (existsSync(path)) return;
  const { danglingLinks } = mergeLayers(
    diffIds.map((diffId) => layout.layerList(diffId)),
    path,
  );
  if (danglingLinks.length === 0) return;
  rmSync(path);
  const first = JSON.stringify(danglingLinks[0]!.slice(0, 200));
  throw new ImageError('INVALID', `Cannot unpack ${name}: entry ${first} is a hard link to a file that does not exist`);
}

/** The tree of layers that are no image (yet): the path of its index, and the key that its mount may have. */
export function layerTree(layout: StoreLayout, diffIds: readonly Digest[]): { key: Digest; path: string } {
  const key = chainId(diffIds);
  const path = layout.tree(key);
  mergeTree(layout, diffIds, path, `layers ${key}`);
  return { key, path };
}
