import { FileType, type Attributes, type ListVisitor, type LowerLayer, type Name, type ReadRoom } from 'fuse-overlay';

/** `count` ids from `from` on are shown as those from `to` on. */
export interface IdRange {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Ids that no range has are shown as this one (the kernel's overflow id). */
const overflowId = 65534;

function mapId(id: number, ranges: readonly IdRange[]): number {
  if (ranges.length === 0) return id;
  const range = ranges.find(({ from, count }) => id >= from && id < from + count);
  return range ? range.to + id - range.from : overflowId;
}

type Layer = LowerLayer & { lookupWith(directory: number, name: Name, out: Attributes): number };

export interface Shown {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
  /** Directories have one link, whatever is in them. */
  readonly staticLinks: boolean;
}

/** A lower layer whose files are shown with other owners and link counts (`uidmapping`, `gidmapping`, `static_nlink`). */
export class MappedLower implements LowerLayer {
  readonly root: number;
  readonly immutable: boolean;
  readonly identity: string;
  readonly #layer: Layer;
  readonly #shown: Shown;

  constructor(layer: Layer, shown: Shown) {
    this.root = layer.root;
    this.immutable = layer.immutable;
    this.identity = layer.identity;
    this.#layer = layer;
    this.#shown = shown;
  }

  #map(result: number, out: Attributes): number {
    if (result < 0) return result;
    const { uids, gids, staticLinks } = this.#shown;
    out.uid = mapId(out.uid, uids);
    out.gid = mapId(out.gid, gids);
    if (staticLinks && (out.mode & FileType.mask) === FileType.directory) out.nlink = 1;
    return result;
  }

  lookupWith(directory: number, name: Name, out: Attributes): number {
    return this.#map(this.#layer.lookupWith(directory, name, out), out);
  }

  getattr(node: number, out: Attributes): number {
    return this.#map(this.#layer.getattr(node, out), out);
  }

  lookup(directory: number, name: Name): number {
    return this.#layer.lookup(directory, name);
  }

  forget(node: number, count: number): void {
    this.#layer.forget(node, count);
  }

  readdir(directory: number, visit: ListVisitor): number {
    return this.#layer.readdir(directory, visit);
  }

  readlink(node: number): Buffer | number {
    return this.#layer.readlink(node);
  }

  getxattr(node: number, name: Name): Buffer | number {
    return this.#layer.getxattr(node, name);
  }

  listxattr(node: number): Buffer[] | number {
    return this.#layer.listxattr(node);
  }

  open(node: number): number {
    return this.#layer.open(node);
  }

  read(node: number, offset: number, out: ReadRoom, attempt: number): number {
    return this.#layer.read(node, offset, out, attempt);
  }

  contentId(node: number): Buffer | undefined {
    return this.#layer.contentId(node);
  }

  close(): void {
    this.#layer.close();
  }
}
