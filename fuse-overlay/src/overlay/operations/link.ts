/** LINK: one more name for an inode; also the first one of an O_TMPFILE. */
import type { Entry } from '../../server/attributes.ts';
import type { Request } from '../../server/file-system.ts';
import type { Name } from '../../server/name.ts';
import { errno } from '../../sys/errors.ts';
import type { Union } from '../union.ts';
import { isDirectory } from '../union.ts';

/** As LINK_MAX of ext4; the field on disk would hold more. */
const maxLinks = 65000;

export function link(
  union: Union,
  request: Request,
  ino: number,
  newParent: number,
  newName: Name,
  entry: Entry,
): number {
  if (union.isDone(request)) return union.enter(ino, entry);
  const existing = union.child(newParent, newName);
  if (existing !== 0) return existing < 0 ? existing : -errno.EEXIST;
  const inode = union.copyUp(ino);
  if (isDirectory(inode)) return -errno.EPERM;
  if (inode.nlink >= maxLinks) return -errno.EMLINK;
  const directory = union.copyUp(newParent);
  if (directory.nlink === 0) return -errno.ENOENT;
  union.store.commit([
    union.enterName(directory, newName.key(), ino),
    union.touch(directory, 0),
    union.links(inode, inode.nlink + 1, directory.ino),
    union.done(request, ino),
  ]);
  return union.enter(ino, entry);
}
