import type { Entry } from '../../server/attributes.ts';
import type { Name } from '../../server/name.ts';
import { errno } from '../../sys/errors.ts';
import type { Union } from '../union.ts';

export function lookup(union: Union, parent: number, name: Name, entry: Entry): number {
  const ino = union.child(parent, name, entry.attributes);
  if (ino < 0) return ino;
  if (ino > 0) return union.enter(ino, entry);
  const timeout = union.absenceTimeout(parent);
  if (timeout === 0) return -errno.ENOENT;
  entry.nodeId = 0;
  entry.entryTimeout = timeout;
  return 0;
}

/** Unlinked files go with the kernel's last reference. */
export function forget(union: Union, ino: number, count: number): void {
  const left = union.release(ino, count);
  const inode = left === 'held' ? undefined : union.store.get(ino);
  if (!inode) return;
  if (inode.nlink > 0) union.store.files.closeFile(ino);
  else if (left === 'gone' || union.isUnknownToKernel(ino)) union.store.drop(inode);
}
