import type { Attributes, ReadRoom, ListVisitor, LowerLayer, Name } from 'fuse-overlay';

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

/** A lower layer whose files are shown with other owners (`uidmapping`, `gidmapping`). */
export class MappedLower implements LowerLayer {
  readonly root: number;
  readonly immutable: boolean;
  readonly identity: string;
  readonly #layer: Layer;
  readonly #uids: readonly IdRange[];
  readonly #gids: readonly IdRange[];

  constructor(layer: Layer, uids: readonly IdRange[], gids: readonly IdRange[]) {
    this.root = layer.root;
    this.immutable = layer.immutable;
    this.identity = layer.identity;
    this.#layer = layer;
    this.#uids = uids;
    this.#gids = gids;
  }

  #map(result: number, out: Attributes): number {
    if (result < 0) return result;
    out.uid = mapId(out.uid, this.#uids);
    out.gid = mapId(out.gid, this.#gids);
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
