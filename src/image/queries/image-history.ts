import { readLayerList } from 'fuse-overlay';
import type { ImageStore } from '../image-store.ts';
import { hasLayerList } from '../store/durability.ts';
import type { Digest } from '../digest.ts';
import { findSomewhere } from './shared-images.ts';
import { storedImage } from './stored-images.ts';

export interface HistoryLine {
  /** The image's id for its last step; of the others nobody knows. */
  readonly id?: Digest;
  /** RFC 3339. */
  readonly created?: string;
  readonly createdBy: string;
  /** Bytes of the layer's files; 0 of a step that made none. */
  readonly size: number;
  readonly comment: string;
  readonly tags: readonly string[];
}

/** How an image came about, the last step first. Layers that its history does not mention come without words. */
export function imageHistory(store: ImageStore, text: string): HistoryLine[] {
  const { store: owner, found } = findSomewhere(store, text);
  const image = storedImage(owner, found.image);
  const { history, diffIds } = image.config;
  const layers = [...diffIds];
  const lines: HistoryLine[] = history.map((entry) => {
    const diffId = entry.emptyLayer ? undefined : layers.shift();
    return {
      ...(entry.created !== undefined && { created: entry.created }),
      createdBy: entry.createdBy ?? '',
      comment: entry.comment ?? '',
      size: diffId === undefined ? 0 : readLayerSize(owner, diffId),
      tags: [],
    };
  });
  for (const diffId of layers) {
    lines.push({ createdBy: '', comment: '', size: readLayerSize(owner, diffId), tags: [] });
  }
  const last = lines.pop();
  if (last) lines.push({ ...last, id: image.id, tags: image.repoTags });
  return lines.reverse();
}

/** Bytes of a layer's files; 0 where it is not unpacked. */
export function readLayerSize({ layout }: ImageStore, diffId: Digest): number {
  if (!hasLayerList(layout, diffId)) return 0;
  let size = 0;
  for (const entry of readLayerList(layout.layerList(diffId))) size += entry.size;
  return size;
}
