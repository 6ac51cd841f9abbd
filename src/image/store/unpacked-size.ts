import { readLayerList } from 'fuse-overlay';
import type { Digest } from '../digest.ts';
import type { StoreLayout } from './layout.ts';

/** Bytes of all files of these layers, as Docker counts an image's size: what an upper layer hides counts as well. */
export function unpackedSize(layout: StoreLayout, diffIds: readonly Digest[]): number {
  let bytes = 0;
  for (const diffId of diffIds) for (const { size } of readLayerList(layout.layerList(diffId))) bytes += size;
  return bytes;
}
