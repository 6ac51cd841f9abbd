import { Name } from '../server/name.ts';
import type { Union } from './union.ts';

interface ListedName {
  readonly name: Name;
  /** File type bits, 0 where the backing file system does not say. */
  readonly type: number;
  readonly ino: number;
}

/** The names of a lower directory as they were at one moment. */
export class Listing {
  readonly names: readonly ListedName[];
  #keys: Set<string> | undefined;

  constructor(names: readonly ListedName[]) {
    this.names = names;
  }

  has(key: string): boolean {
    this.#keys ??= new Set(this.names.map(({ name }) => name.key()));
    return this.#keys.has(key);
  }
}

const capacity = 32;
const nothing = new Listing([]);

/** Lower directories that are being read: their names are asked for once, not for each part of a listing. */
export class DirectoryListings {
  readonly #union: Union;
  readonly #listings = new Map<number, Listing>();

  constructor(union: Union) {
    this.#union = union;
  }

  /** `fresh`: as the directory is now. A negative errno where it can't be read; empty where there is no lower directory. */
  list(ino: number, fresh: boolean): Listing | number {
    const { lower } = this.#union;
    if (!this.#union.isLower(ino)) return nothing;
    const known = this.#listings.get(ino);
    if (known && (!fresh || lower.layer.immutable)) return known;
    const names: ListedName[] = [];
    const node = lower.node(ino);
    const result =
      node < 0
        ? node
        : lower.layer.readdir(node, (name, type, layerIno) => {
            names.push({ name: new Name(name), type, ino: lower.number(layerIno) });
          });
    if (result < 0) return this.#union.isLowerGone(ino, result) ? nothing : result;
    return this.#keep(ino, new Listing(names));
  }

  #keep(ino: number, listing: Listing): Listing {
    this.#listings.delete(ino);
    this.#listings.set(ino, listing);
    for (const oldest of this.#listings.keys()) {
      if (this.#listings.size <= capacity) break;
      this.#listings.delete(oldest);
    }
    return listing;
  }
}
