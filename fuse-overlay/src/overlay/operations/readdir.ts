/**
 * READDIR and READDIRPLUS.
 *
 * A listing has three parts: `.` and `..`; the names that the lower directory has, in its order; the names that only the upper
 * one has, in the order of their birth. An offset says how far the last part came, so that a reader goes on right whatever
 * changes meanwhile, also with another server: a name that is there all the time comes once, whichever layer's it becomes.
 */
import { FileType } from '../../server/attributes.ts';
import type { DirectoryReply } from '../../server/file-system.ts';
import { Name } from '../../server/name.ts';
import type { DirectoryListings, Listing } from '../directory-listings.ts';
import type { Union } from '../union.ts';

/** Offsets: 1 and 2 after the dots, then 2 + position of a lower name from 1 on, then this + `seq` of an upper one. */
const upperOffset = 2 ** 30;

const dots = Buffer.from('..');

export function readdir(
  union: Union,
  listings: DirectoryListings,
  ino: number,
  offset: number,
  out: DirectoryReply,
): number {
  if (offset < 2 && !addDots(union, ino, offset, out)) return 0;
  const listing = listings.list(ino, offset === 0);
  if (typeof listing === 'number') return listing;
  if (offset >= upperOffset || addLowerNames(union, ino, listing, offset, out)) {
    addUpperNames(union, ino, listing, Math.max(0, offset - upperOffset), out);
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
  attributes.ino = union.store.get(ino)?.parent ?? union.lower.place(ino)?.parent ?? ino;
  return out.add(dots, 0, 2, 2);
}

/** False when there was no room for all. */
function addLowerNames(union: Union, ino: number, listing: Listing, offset: number, out: DirectoryReply): boolean {
  const entries = union.store.get(ino)?.entries;
  const { attributes } = out.entry;
  const { names } = listing;
  for (let at = Math.max(0, offset - 2); at < names.length; at++) {
    const listed = names[at]!;
    const entry = entries?.size ? entries.get(listed.name.key()) : undefined;
    let child = listed.ino;
    if (entry) {
      child = entry.ino;
      if (child === 0 || union.getattr(child, attributes) < 0) continue;
    } else if (out.plus) {
      child = union.lower.lookup(ino, listed.name, attributes);
      // Gone since it was listed (a live directory).
      if (child < 0) continue;
      if (union.store.get(child)) union.getattr(child, attributes);
      else union.present(attributes);
    } else {
      attributes.ino = child;
      attributes.mode = listed.type;
    }
    if (!add(union, child, listed.name, at + 3, out)) return false;
  }
  return true;
}

function addUpperNames(union: Union, ino: number, listing: Listing, seq: number, out: DirectoryReply): void {
  union.store.get(ino)?.entries?.listFrom(seq, (entry) => {
    if (listing.has(entry.name) || union.getattr(entry.ino, out.entry.attributes) < 0) return true;
    return add(union, entry.ino, Name.fromKey(entry.name), upperOffset + entry.seq, out);
  });
}

/** Adds an entry whose attributes are filled in. */
function add(union: Union, ino: number, name: Name, next: number, out: DirectoryReply): boolean {
  const { entry } = out;
  entry.nodeId = out.plus ? ino : 0;
  entry.generation = 0;
  entry.entryTimeout = entry.attrTimeout = union.timeout(ino);
  if (!out.add(name.bytes, name.start, name.end, next)) return false;
  if (out.plus) union.refer(ino);
  return true;
}
