import { join } from 'node:path';
import type { LowerLayer } from '../layers/lower-layer.ts';
import { Attributes } from '../server/attributes.ts';
import { listChanges, type UnionChange } from './changes.ts';
import { layerEntries, treeEntries, type LayerExport } from './export-layer.ts';
import { FixedLowerNodes } from './fixed-lower-nodes.ts';
import type { LowerNodes } from './lower-nodes.ts';
import { TracedLowerNodes } from './traced-lower-nodes.ts';
import { DirectoryListings } from './directory-listings.ts';
import { readTree } from './tree/read-tree.ts';
import { TreeMirror } from './tree/tree-mirror.ts';
import { Union, type Owner } from './union.ts';
import { UnionFileSystem } from './union-file-system.ts';
import { DataPlace } from './upper/inode.ts';
import type { QuotaLimits } from './upper/quota.ts';
import { openUpperStore } from './upper/open-upper-store.ts';
import type { UpperStore } from './upper/upper-store.ts';

export interface OpenUnionOptions {
  /** Closed with the union. */
  readonly lower: LowerLayer;
  /** What the lower layer is (an image's digest), the same every time: over anything else the upper layer is refused. */
  readonly lowerName?: string;
  /** Folder of the upper layer, on any file system; made where there is none. */
  readonly upperDir: string;
  /** Show every file as this user's: for a mount whose user namespace maps a single id. */
  readonly owner?: Owner;
  readonly quota?: QuotaLimits;
  /**
   * The successor of a server that died, on the same /dev/fuse descriptor: what programs had open goes on, unlinked files
   * included. Without it a new mount begins, and such files are removed.
   */
  readonly takeover?: boolean;
  /** Seconds that the kernel may keep names and attributes of a lower layer that is not immutable; default a day. */
  readonly lowerTimeout?: number;
  /**
   * The kernel gathers small writes and sends them later: 4 KiB writes become several times faster, small files that are created
   * some 10 % slower (each close brings one more request), and a full disk shows at fsync or close instead of write. Default false.
   */
  readonly writeback?: boolean;
  /**
   * A folder that is kept as overlayfs would have its upper directory: a tree with whiteouts, on the file system of `upperDir`.
   * What is in it at first is the upper layer; `upperDir` is only used while the union is open. Directories of the lower layer
   * cannot be renamed then (EXDEV).
   */
  readonly tree?: string;
}

const day = 86_400;

/**
 * Opens a union. Throws EBUSY where another process has its upper layer open, EINVAL where that was made over another lower
 * layer; the lower layer is closed then, too.
 */
export function openUnion(options: OpenUnionOptions): UnionFileSystem {
  return new UnionFileSystem(assemble(options, false));
}

/**
 * What the upper layer in `upperDir` adds to its lower one, as the entries of an OCI layer. It may be mounted meanwhile, by this
 * process or another one; what changes under the reader's hands comes as it was or as it is.
 */
export function* exportLayer(
  options: Pick<OpenUnionOptions, 'lower' | 'lowerName' | 'upperDir' | 'owner'>,
  mountPoints?: ReadonlySet<string>,
): Generator<LayerExport> {
  const union = assemble(options, true);
  try {
    yield* layerEntries(union, new DirectoryListings(union), mountPoints);
  } finally {
    union.store.close();
    union.lower.close();
  }
}

/** The whole tree, of both layers, read as `exportLayer` does. */
export function* exportUnion(
  options: Pick<OpenUnionOptions, 'lower' | 'lowerName' | 'upperDir' | 'owner'>,
): Generator<LayerExport> {
  const union = assemble(options, true);
  try {
    yield* treeEntries(union, new DirectoryListings(union));
  } finally {
    union.store.close();
    union.lower.close();
  }
}

/** What the upper layer in `upperDir` changes of its lower one, read as `exportLayer` does. */
export function* readChanges(
  options: Pick<OpenUnionOptions, 'lower' | 'lowerName' | 'upperDir'>,
): Generator<UnionChange> {
  const union = assemble(options, true);
  try {
    yield* listChanges(union, new DirectoryListings(union));
  } finally {
    union.store.close();
    union.lower.close();
  }
}

function assemble(options: OpenUnionOptions, readOnly: boolean): Union {
  const {
    lower,
    lowerName = '',
    upperDir,
    quota,
    owner,
    lowerTimeout = day,
    takeover = false,
    writeback = false,
  } = options;
  const isFixed = lower.immutable;
  const firstIno = isFixed ? 2 ** 30 : 2 ** 52;
  let store: UpperStore | undefined;
  try {
    store = openUpperStore(upperDir, {
      firstIno,
      lower: lowerName,
      takeover,
      readOnly,
      temporary: options.tree !== undefined,
    });
    const nodes = isFixed ? new FixedLowerNodes(lower) : tracedNodes(store, options, readOnly);
    if (quota) store.quota.limit(quota);
    if (store.crashed && !readOnly) revertLostCopies(store, nodes);
    const union = new Union(store, nodes, {
      ...{ owner, lowerTimeout: isFixed ? 1e9 : lowerTimeout, takeover, writeback },
      keepsTree: options.tree !== undefined,
    });
    if (options.tree !== undefined) mirrorTree(union, options.tree);
    return union;
  } catch (error) {
    store?.close();
    lower.close();
    throw error;
  }
}

function mirrorTree(union: Union, tree: string): void {
  const mirror = new TreeMirror(union, tree);
  union.store.onCommit = (changes) => mirror.apply(changes);
  readTree(union, tree);
  mirror.isReading = false;
}

function tracedNodes(
  store: UpperStore,
  { lower, upperDir, takeover = false }: OpenUnionOptions,
  readOnly: boolean,
): LowerNodes {
  const nodes = new TracedLowerNodes(lower, readOnly ? undefined : join(upperDir, 'seen'), takeover);
  for (const [ino, { parent, name }] of store.table.origins) nodes.tell(ino, parent, name);
  nodes.isChanged = (ino) => store.get(ino) !== undefined;
  return nodes;
}

/**
 * After a crash of the machine: a copy of a lower file that did not reach the disk is the lower file again. File systems write
 * a file's size after its contents, so a copy that is as long as what it was made of was there.
 */
function revertLostCopies(store: UpperStore, nodes: LowerNodes): void {
  const attributes = new Attributes();
  for (const inode of store.table.inodes.values()) {
    if (inode.data !== DataPlace.copy || nodes.getattr(inode.ino, attributes) < 0) continue;
    const { size, blocks, mtime, mtimeNsec } = attributes;
    if (inode.size >= size) continue;
    store.setBlocks(inode, 0);
    store.commit([{ ...store.image(inode), data: DataPlace.lower, size, blocks, mtime, mtimeNsec }], true);
    store.files.remove(inode.ino);
  }
}
