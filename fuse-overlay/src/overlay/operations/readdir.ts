/**
 * READDIR and READDIRPLUS.
 *
 * A listing has three parts: `.` and `..`, the lower directory's names in its order (but for those that the upper one says
 * something of), the upper directory's names in the order of their birth. An offset says how far the last one came, so that
 * a reader goes on right whatever changes meanwhile, also with another server: names that are there all the time come once.
 */
import { FileType } from '../../server/attributes.ts';
import type { DirectoryReply } from '../../server/file-system.ts';
import { Name } from '../../server/name.ts';
import type { Union } from '../union.ts';

/** Offsets: 1 and 2 after the dots, then 2 + position of a lower name from 1 on, then this + `seq` of an upper one. */
const upperOffset = 2 ** 30;

const dots = Buffer.from('..');

export interface ListedName {
  readonly name: Name;
  readonly type: number;
  readonly ino: number;
}

/** Lower directories that are being read: their names are asked for once, not for each part of a listing. */
export class DirectoryListings {
  readonly #union: Union;
  readonly #lists = new Map<number, ListedName[]>();

  constructor(union: Union) {
    this.#union = union;
  }

  /** `fresh`: as the directory is now. A negative errno where it can't be read. */
  list(ino: number, fresh: boolean): ListedName[] | number {
    const { lower } = this.#union;
    const known = this.#lists.get(ino);
    if (known && !(fresh && !lower.layer.immutable)) return known;
    const node = lower.node(ino);
    if (node < 0) return node;
    const list: ListedName[] = [];
    const result = lower.layer.readdir(node, (name, type, layerIno) => {
      list.push({ name: new Name(name), type, ino: lower.number(layerIno) });
    });
    if (result < 0) return result;
    this.#lists.delete(ino);
    this.#lists.set(ino, list);
    if (this.#lists.size > 32) {
      for (const oldest of this.#lists.keys()) {
        this.#lists.delete(oldest);
        break;
      }
    }
    return list;
  }
}

export function readdir(
  union: Union,
  listings: DirectoryListings,
  ino: number,
  offset: number,
  out: DirectoryReply,
): number {
  if (offset < 2 && !addDots(union, ino, offset, out)) return 0;
  const entries = union.store.get(ino)?.entries;
  let result = 0;
  let more = true;
  if (offset < upperOffset && union.isLower(ino)) {
    const listed = listings.list(ino, offset === 0);
    if (typeof listed === 'number') return listed;
    for (let at = Math.max(0, offset - 2); more && at < listed.length; at++) {
      const each = listed[at]!;
      if (entries?.size && entries.get(each.name.key())) continue;
      more = addLower(union, ino, each, at + 3, out);
    }
  }
  if (more && entries) {
    entries.listFrom(Math.max(0, offset - upperOffset), (entry) => {
      result = union.getattr(entry.ino, out.entry.attributes);
      if (result < 0) return true;
      return add(union, entry.ino, Name.fromKey(entry.name), upperOffset + entry.seq, out);
    });
  }
  union.lower.remember();
  return 0;
}

function addDots(union: Union, ino: number, offset: number, out: DirectoryReply): boolean {
  const { attributes } = out.entry;
  out.entry.nodeId = 0;
  attributes.mode = FileType.directory;
  attributes.ino = ino;
  if (offset === 0 && !out.add(dots, 0, 1, 1)) return false;
  attributes.ino = union.store.get(ino)?.parent ?? (union.lower.parent(ino) || ino);
  return out.add(dots, 0, 2, 2);
}

function addLower(union: Union, directory: number, listed: ListedName, next: number, out: DirectoryReply): boolean {
  const { attributes } = out.entry;
  if (!out.plus) {
    out.entry.nodeId = 0;
    attributes.ino = listed.ino;
    attributes.mode = listed.type;
    return out.add(listed.name.bytes, 0, listed.name.end, next);
  }
  const ino = union.lower.lookup(directory, listed.name, attributes);
  // Gone since it was listed (a live directory).
  if (ino < 0) return true;
  if (union.store.get(ino)) union.getattr(ino, attributes);
  else union.present(attributes);
  return add(union, ino, listed.name, next, out);
}

function add(union: Union, ino: number, name: Name, next: number, out: DirectoryReply): boolean {
  const { entry } = out;
  if (!out.plus) {
    entry.nodeId = 0;
    return out.add(name.bytes, name.start, name.end, next);
  }
  entry.nodeId = ino;
  entry.generation = 0;
  entry.entryTimeout = entry.attrTimeout = union.timeout(ino);
  if (!out.add(name.bytes, name.start, name.end, next)) return false;
  union.refer(ino);
  return true;
}
