/** UNLINK and RMDIR. What the kernel still holds stays, nameless, until it is forgotten. */
import type { Request } from '../../server/file-system.ts';
import { Name } from '../../server/name.ts';
import { errno } from '../../sys/errors.ts';
import type { Union } from '../union.ts';
import type { DirectoryListings } from '../directory-listings.ts';

export function unlink(union: Union, request: Request, parent: number, name: Name): number {
  if (union.isDone(request)) return 0;
  const ino = union.child(parent, name);
  if (ino <= 0) return ino < 0 ? ino : -errno.ENOENT;
  const directory = union.copyUp(parent, true);
  const inode = union.copyUp(ino, true);
  if (inode.entries) return -errno.EISDIR;
  union.store.commit(
    [
      union.removeName(directory, name),
      union.touch(directory, 0),
      union.links(inode, Math.max(0, inode.nlink - 1), inode.parent),
      union.done(request),
    ],
    true,
  );
  return 0;
}

export function rmdir(union: Union, request: Request, listings: DirectoryListings, parent: number, name: Name): number {
  if (union.isDone(request)) return 0;
  const ino = union.child(parent, name);
  if (ino <= 0) return ino < 0 ? ino : -errno.ENOENT;
  const directory = union.copyUp(parent, true);
  const inode = union.copyUp(ino, true);
  if (!inode.entries) return -errno.ENOTDIR;
  if (!isEmpty(union, listings, ino)) return -errno.ENOTEMPTY;
  union.store.commit(
    [
      union.removeName(directory, name),
      union.touch(directory, -1),
      union.links(inode, 0, inode.parent),
      union.done(request),
    ],
    true,
  );
  return 0;
}

/** No name is left: none of the upper layer, and a whiteout for each of the lower one. */
export function isEmpty(union: Union, listings: DirectoryListings, ino: number): boolean {
  const entries = union.store.get(ino)?.entries;
  if (entries && entries.visible > 0) return false;
  if (!union.isLower(ino)) return true;
  const listed = listings.list(ino, true);
  if (typeof listed === 'number') return false;
  return listed.names.every(({ name }) => entries?.get(name.key()));
}
