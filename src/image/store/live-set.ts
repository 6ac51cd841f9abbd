/** What the images in the index need: everything else in the store is garbage. */
import { readLayerList } from 'fuse-overlay';
import { digestHex, type Digest } from '../digest.ts';
import { parseReference } from '../reference.ts';
import { readImageRecord } from './image-record.ts';
import { readIndex } from './index-file.ts';
import type { StoreLayout } from './layout.ts';
import { addPinned } from './pins.ts';

/** File names (hexadecimal digests) within the folders of the store. */
export interface LiveSet {
  readonly blobs: Set<string>;
  readonly layers: Set<string>;
  readonly trees: Set<string>;
}

/** Walks from the index. Throws where an image can't be read: then nobody knows what it needs, and nothing may go. */
export function liveSet(layout: StoreLayout): LiveSet {
  const live: LiveSet = { blobs: new Set(), layers: new Set(), trees: new Set() };
  for (const { digest, name } of readIndex(layout)) {
    // The list of images that a name's digest stands for.
    if (name?.includes('@') === true) addNamedDigest(live, name);
    if (!live.trees.has(digestHex(digest))) addImage(layout, live, digest);
  }
  addPinned(layout, live);
  return live;
}

function addImage(layout: StoreLayout, live: LiveSet, digest: Digest): void {
  const { manifest, config } = readImageRecord(layout, digest);
  live.trees.add(digestHex(digest));
  for (const each of [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]) {
    live.blobs.add(digestHex(each));
  }
  for (const diffId of config.diffIds) live.layers.add(digestHex(diffId));
}

function addNamedDigest(live: LiveSet, name: string): void {
  try {
    const { digest } = parseReference(name);
    if (digest) live.blobs.add(digestHex(digest));
  } catch {
    // A name that another program gave; it names nothing of ours.
  }
}

/** Adds the contents that the layers of these lists need, as hexadecimal ids. */
export function addContents(contents: Set<string>, lists: Iterable<string>): void {
  for (const list of lists) {
    for (const { contentId } of readLayerList(list)) if (contentId) contents.add(contentId.toString('hex'));
  }
}
