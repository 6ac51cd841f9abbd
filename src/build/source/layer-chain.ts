/** The files that layers make together, to look into and to mount. */
import { closeSync, openSync } from 'node:fs';
import { openImageTree } from 'fuse-overlay';
import { digestHex, type Digest } from '../../image/digest.ts';
import type { ImageStore } from '../../image/image-store.ts';
import type { Descriptor } from '../../image/manifest.ts';
import { noteRemoval } from '../../image/store/activity.ts';
import { layerTree } from '../../image/store/merged-tree.ts';
import type { StepTree } from '../../engine/build-step.ts';
import { TreeView, type TreeViewOptions } from './tree-view.ts';

/** A layer as an image's manifest and config have it. */
export interface ChainLayer {
  readonly diffId: Digest;
  readonly descriptor: Descriptor;
}

/** The trees that have been made through a handle of the store, by chainID. */
const made = new WeakMap<ImageStore, Set<Digest>>();

/** Lets the trees go that builds have made through this handle: no image needs them. Call it while the addition is announced. */
export function forgetTrees(store: ImageStore): void {
  const trees = made.get(store);
  if (trees === undefined) return;
  noteRemoval(store.layout, [...trees]);
  made.delete(store);
}

/** The merged tree of layers, made where it is missing. */
export function stepTree(store: ImageStore, layers: readonly ChainLayer[]): StepTree {
  const { layout } = store;
  const trees = made.get(store) ?? new Set();
  made.set(store, trees);
  const { key, path } = layerTree(
    layout,
    layers.map(({ diffId }) => diffId),
  );
  trees.add(key);
  return { key: digestHex(key), index: path };
}

/** Opens the tree of layers for `work`. */
export function withTree<T>(store: ImageStore, layers: readonly ChainLayer[], work: (view: TreeView) => T): T {
  const { index } = stepTree(store, layers);
  const files = openSync(store.filesDir, 'r');
  try {
    const view = new TreeView(openImageTree(index, files));
    try {
      return work(view);
    } finally {
      view.close();
    }
  } finally {
    closeSync(files);
  }
}

/** A tree that is kept open until it is disposed of. */
export function openTree(
  store: ImageStore,
  layers: readonly ChainLayer[],
  options: TreeViewOptions = {},
): { view: TreeView } & Disposable {
  const { index } = stepTree(store, layers);
  const files = openSync(store.filesDir, 'r');
  const view = new TreeView(openImageTree(index, files), options);
  return {
    view,
    [Symbol.dispose]: () => {
      view.close();
      closeSync(files);
    },
  };
}
