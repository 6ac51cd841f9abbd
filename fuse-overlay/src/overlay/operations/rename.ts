/** RENAME and RENAME2: one transaction of names, link counts and times, whatever is renamed over or exchanged. */
import { Attributes, FileType } from '../../server/attributes.ts';
import type { Request } from '../../server/file-system.ts';
import type { Name } from '../../server/name.ts';
import { errno } from '../../sys/errors.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../sys/open-flags.ts';
import type { Union } from '../union.ts';
import type { Change } from '../upper/change.ts';
import { inDataFile, type Inode } from '../upper/inode.ts';
import { newInode } from './create.ts';
import type { DirectoryListings } from '../directory-listings.ts';
import { isEmpty } from './remove.ts';

interface Place {
  readonly directory: Inode;
  readonly name: Name;
}

export function rename(
  union: Union,
  listings: DirectoryListings,
  request: Request,
  parent: number,
  name: Name,
  newParent: number,
  newName: Name,
  flags: number,
): number {
  if (union.isDone(request)) return 0;
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) return -errno.EINVAL;
  if (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) return -errno.EINVAL;
  const source = union.child(parent, name);
  if (source <= 0) return source < 0 ? source : -errno.ENOENT;
  const replaced = union.child(newParent, newName);
  if (replaced < 0) return replaced;
  if (replaced > 0 && flags & RENAME_NOREPLACE) return -errno.EEXIST;
  if (replaced === 0 && flags & RENAME_EXCHANGE) return -errno.ENOENT;
  // rename(2): two names of one file stay as they are.
  if (source === replaced) return 0;
  const exchanged = flags & RENAME_EXCHANGE ? replaced : 0;
  if (union.keepsTree && (isLowerDirectory(union, source) || isLowerDirectory(union, exchanged))) return -errno.EXDEV;
  const from = { directory: union.copyUp(parent), name };
  const to = { directory: union.copyUp(newParent), name: newName };
  const moved = union.copyUp(source);
  const other = replaced > 0 ? union.copyUp(replaced) : undefined;
  if (flags & RENAME_EXCHANGE) return exchange(union, request, from, to, moved, other!);
  if (other) {
    if (other.entries && !moved.entries) return -errno.EISDIR;
    if (!other.entries && moved.entries) return -errno.ENOTDIR;
    if (other.entries && !isEmpty(union, listings, other.ino)) return -errno.ENOTEMPTY;
  }
  move(union, request, from, to, moved, other, (flags & RENAME_WHITEOUT) !== 0);
  return 0;
}

function move(
  union: Union,
  request: Request,
  from: Place,
  to: Place,
  moved: Inode,
  other: Inode | undefined,
  leaveWhiteout: boolean,
): void {
  const changes: Change[] = [];
  if (leaveWhiteout) {
    union.checkInodes();
    const whiteout = newInode(union, request, from.directory, { mode: FileType.character, umask: 0, rdev: 0 }, 1);
    changes.push(...whiteout, union.enterName(from.directory, from.name.key(), whiteout[0].ino));
  } else {
    changes.push(union.removeName(from.directory, from.name));
  }
  changes.push(union.enterName(to.directory, to.name.key(), moved.ino));
  changes.push(...touchBoth(union, from.directory, to.directory, isDirectory(moved), isDirectory(other), false));
  changes.push(union.links(moved, moved.nlink, to.directory.ino));
  changes.push(union.done(request));
  if (other) changes.push(union.links(other, other.entries ? 0 : Math.max(0, other.nlink - 1), other.parent));
  union.store.commit(changes);
  // Programs write a new file, rename it over the old one and hope: its contents go to disk with the name.
  if (other && inDataFile(moved) && moved.unsynced) union.store.syncBeforeJournal(moved.ino);
}

function exchange(union: Union, request: Request, from: Place, to: Place, moved: Inode, other: Inode): number {
  const changes: Change[] = [
    union.enterName(from.directory, from.name.key(), other.ino),
    union.enterName(to.directory, to.name.key(), moved.ino),
    ...touchBoth(union, from.directory, to.directory, isDirectory(moved), isDirectory(other), true),
    union.links(moved, moved.nlink, to.directory.ino),
    union.links(other, other.nlink, from.directory.ino),
    union.done(request),
  ];
  union.store.commit(changes);
  return 0;
}

/** `moved`: 1 where a directory went from the one to the other; `returned`: where one went the other way, or away. */
function touchBoth(
  union: Union,
  from: Inode,
  to: Inode,
  moved: number,
  returned: number,
  isExchange: boolean,
): Change[] {
  if (from === to) return [union.touch(from, isExchange ? 0 : -returned)];
  return [union.touch(from, isExchange ? returned - moved : -moved), union.touch(to, moved - returned)];
}

function isLowerDirectory(union: Union, ino: number): boolean {
  const attributes = new Attributes();
  return (
    ino > 0 &&
    union.isLower(ino) &&
    union.getattr(ino, attributes) === 0 &&
    (attributes.mode & FileType.mask) === FileType.directory
  );
}

function isDirectory(inode: Inode | undefined): number {
  return inode?.entries ? 1 : 0;
}
