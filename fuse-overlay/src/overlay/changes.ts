/** What the upper layer changed, by path: for people (`diff`) and for layers to be made of it. */
import { Attributes, FileType } from '../server/attributes.ts';
import { ROOT_NODE } from '../server/file-system.ts';
import { Name } from '../server/name.ts';
import type { DirectoryListings } from './directory-listings.ts';
import type { Union } from './union.ts';
import type { DirectoryEntries } from './upper/directory-entries.ts';

export interface UnionChange {
  /** Bytes from the root, without a leading `/`; empty for the root itself. */
  readonly path: Buffer;
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Inode number in the union; of a deleted one in the lower layer. */
  readonly ino: number;
  /** The lower layer has another file under this name. */
  readonly replaces: boolean;
  /** Inode numbers of the directories that it lies in, from the root on. */
  readonly trail: readonly number[];
}

interface Listed {
  readonly name: string;
  readonly ino: number;
  readonly type: number;
}

/** Every name of a directory of the union, `.` and `..` aside. */
export function* namesOf(union: Union, listings: DirectoryListings, ino: number): Generator<Listed> {
  const entries: DirectoryEntries | undefined = union.store.get(ino)?.entries;
  const attributes = new Attributes();
  for (const { name, ino: lowerIno } of lowerNames(union, listings, ino)) {
    if (entries?.get(name) || union.getattr(lowerIno, attributes) < 0) continue;
    yield { name, ino: lowerIno, type: attributes.mode & FileType.mask };
  }
  for (const { name, ino: child } of entries?.values() ?? []) {
    if (child === 0 || union.getattr(child, attributes) < 0) continue;
    yield { name, ino: child, type: attributes.mode & FileType.mask };
  }
}

/** Every name that the lower layer has in its directory of this number. */
export function* lowerNames(
  union: Union,
  listings: DirectoryListings,
  ino: number,
): Generator<{ name: string; ino: number }> {
  if (!union.isLower(ino)) return;
  const listed = listings.list(ino, true);
  if (typeof listed === 'number') return;
  for (const { name } of listed.names) {
    const child = union.lower.lookup(ino, name, new Attributes());
    if (child > 0) yield { name: name.key(), ino: child };
  }
}

/**
 * Walks the union beside the lower layer. A directory that stayed in its place is gone into only where something below it may
 * have changed; one that came from elsewhere is new with all that is in it.
 */
export function* listChanges(union: Union, listings: DirectoryListings): Generator<UnionChange> {
  if (union.store.get(ROOT_NODE)) {
    yield { path: Buffer.alloc(0), kind: 'modified', ino: ROOT_NODE, replaces: false, trail: [] };
  }
  yield* inPlace(union, listings, [ROOT_NODE], [], interesting(union));
}

function* inPlace(
  union: Union,
  listings: DirectoryListings,
  trail: readonly number[],
  path: readonly string[],
  isInteresting: (ino: number) => boolean,
): Generator<UnionChange> {
  const directory = trail.at(-1)!;
  const entries = union.store.get(directory)?.entries;
  for (const { name, ino } of lowerNames(union, listings, directory)) {
    const here = [...path, name];
    const entry = entries?.get(name);
    if (entry?.ino === 0) yield { path: join(here), kind: 'deleted', ino, replaces: false, trail };
    else if (entry && entry.ino !== ino) yield* added(union, listings, here, entry.ino, 'modified', trail);
    else {
      const inode = union.store.get(ino);
      if (inode) yield { path: join(here), kind: 'modified', ino, replaces: false, trail };
      if (isInteresting(ino)) yield* inPlace(union, listings, [...trail, ino], here, isInteresting);
    }
  }
  for (const { name, ino } of entries?.values() ?? []) {
    if (ino === 0 || union.lowerChild(directory, Name.fromKey(name)) !== 0) continue;
    yield* added(union, listings, [...path, name], ino, 'added', trail);
  }
}

function* added(
  union: Union,
  listings: DirectoryListings,
  path: readonly string[],
  ino: number,
  kind: 'added' | 'modified',
  trail: readonly number[],
): Generator<UnionChange> {
  yield { path: join(path), kind, ino, replaces: kind === 'modified', trail };
  for (const child of isDirectory(union, ino) ? namesOf(union, listings, ino) : []) {
    yield* added(union, listings, [...path, child.name], child.ino, 'added', [...trail, ino]);
  }
}

/** Every file of the union, as if all were new. */
export function* listAll(union: Union, listings: DirectoryListings): Generator<UnionChange> {
  yield* added(union, listings, [], ROOT_NODE, 'added', []);
}

/** Directories at or above something changed; every one where the lower layer can't say what is above. */
function interesting(union: Union): (ino: number) => boolean {
  const above = new Set<number>();
  for (const inode of union.store.table.inodes.values()) {
    if (!union.isLower(inode.ino)) continue;
    const isDirectoryInode = inode.entries !== undefined;
    if (!isDirectoryInode && inode.nlink > 1) return () => true;
    for (let at = isDirectoryInode ? inode.ino : inode.parent; !above.has(at);) {
      above.add(at);
      if (at === ROOT_NODE) break;
      const place = union.lower.place(at);
      if (!place) return () => true;
      at = place.parent;
    }
  }
  return (ino) => above.has(ino);
}

function isDirectory(union: Union, ino: number): boolean {
  const inode = union.store.get(ino);
  if (inode) return inode.entries !== undefined;
  const attributes = new Attributes();
  return union.getattr(ino, attributes) === 0 && (attributes.mode & FileType.mask) === FileType.directory;
}

function join(path: readonly string[]): Buffer {
  return Buffer.from(path.join('/'), 'latin1');
}
