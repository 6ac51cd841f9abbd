/** Files that a build copies from or mounts: a stage, an image, or a context. */
import { DirectoryLayer } from 'fuse-overlay';
import { chainId } from '../../image/store/merged-tree.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { storeLayer } from '../../image/layer/store-layer.ts';
import type { IgnoreRules } from '../context/ignore-rules.ts';
import { openTree, type ChainLayer } from './layer-chain.ts';
import { TreeView } from './tree-view.ts';
import { treeEntries } from './tree-entries.ts';

export type FileTree =
  /** `ignore`: of an archive with a .dockerignore. */
  | {
      readonly kind: 'layers';
      readonly layers: readonly ChainLayer[];
      readonly ignore?: IgnoreRules;
      readonly rootOwned?: boolean;
    }
  | { readonly kind: 'folder'; readonly path: string; readonly ignore: IgnoreRules };

/** Opens a tree to look into it, until it is disposed of. */
export function openFileTree(store: ImageStore, tree: FileTree): { readonly view: TreeView } & Disposable {
  if (tree.kind === 'layers') return openTree(store, tree.layers, tree);
  const view = new TreeView(new DirectoryLayer(tree.path), { ignore: tree.ignore, rootOwned: true });
  return { view, [Symbol.dispose]: () => view.close() };
}

/** The tree as layers, which can be mounted: a folder's files go into the store. */
export function treeLayers(store: ImageStore, tree: FileTree): readonly ChainLayer[] {
  if (tree.kind === 'layers' && tree.ignore === undefined) return tree.layers;
  using opened = openFileTree(store, tree);
  return [storeLayer(store.layout, treeEntries(opened.view))];
}

/** The same for the same files; undefined for a folder, whose files have to be looked at. */
export function treeKey(tree: FileTree): string | undefined {
  return tree.kind === 'layers' && tree.ignore === undefined
    ? chainId(tree.layers.map(({ diffId }) => diffId))
    : undefined;
}
