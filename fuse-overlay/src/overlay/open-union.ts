import { join } from 'node:path';
import type { LowerLayer } from '../layers/lower-layer.ts';
import { Attributes } from '../server/attributes.ts';
import { FixedLowerNodes, TracedLowerNodes, type LowerNodes } from './lower-nodes.ts';
import { Union, type Owner } from './union.ts';
import { UnionFileSystem } from './union-file-system.ts';
import { DataPlace } from './upper/inode.ts';
import type { QuotaLimits } from './upper/quota.ts';
import { UpperStore } from './upper/upper-store.ts';

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
}

const day = 86_400;

/** Opens a union. Throws EBUSY where another process has its upper layer open, EINVAL where that was made over another lower layer. */
export function openUnion(options: OpenUnionOptions): UnionFileSystem {
  const { lower, lowerName = '', upperDir, quota, owner, lowerTimeout = day, takeover = false } = options;
  const isFixed = lower.immutable;
  const firstIno = isFixed ? 2 ** 30 : 2 ** 52;
  const store = UpperStore.open(upperDir, { firstIno, lower: lowerName, takeover });
  let nodes: LowerNodes;
  if (isFixed) {
    nodes = new FixedLowerNodes(lower);
  } else {
    const traced = new TracedLowerNodes(lower, join(upperDir, 'seen'), takeover);
    for (const [ino, { parent, name }] of store.table.origins) traced.place(ino, parent, name);
    nodes = traced;
  }
  if (quota) store.quota.limit(quota);
  if (store.afterCrash) revertLostCopies(store, nodes);
  return new UnionFileSystem(new Union(store, nodes, { owner, lowerTimeout: isFixed ? 1e9 : lowerTimeout, takeover }));
}

/** After a crash of the machine, copies of lower files that may not have reached the disk are the lower files again. */
function revertLostCopies(store: UpperStore, nodes: LowerNodes): void {
  const attributes = new Attributes();
  for (const inode of store.table.inodes.values()) {
    if (inode.data !== DataPlace.copy || nodes.getattr(inode.ino, attributes) < 0) continue;
    const { size, blocks, mtime, mtimeNsec } = attributes;
    inode.stale = inode.staleTimes = false;
    store.setBlocks(inode, 0);
    store.commit([{ ...store.image(inode), data: DataPlace.lower, size, blocks, mtime, mtimeNsec }]);
    store.files.remove(inode.ino);
  }
}
