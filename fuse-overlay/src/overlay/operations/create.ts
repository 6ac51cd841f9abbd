/** MKNOD, MKDIR, SYMLINK and TMPFILE: inodes that are born in the upper layer. */
import type { Entry } from '../../server/attributes.ts';
import { FileType } from '../../server/attributes.ts';
import type { Request } from '../../server/file-system.ts';
import type { Name } from '../../server/name.ts';
import { errno } from '../../sys/errors.ts';
import { inheritAcl } from '../acl/inherit.ts';
import { tick } from '../clock.ts';
import type { Union } from '../union.ts';
import type { Change, ChangeOf } from '../upper/change.ts';
import type { Inode } from '../upper/inode.ts';
import { DataPlace } from '../upper/inode.ts';

const S_ISGID = 0o2000;

/** What a new inode is like. */
export interface Birth {
  /** Type and permissions, the umask not taken off. */
  readonly mode: number;
  readonly umask: number;
  readonly rdev: number;
  readonly target?: Buffer;
}

/** Makes an inode and its name. `name` undefined: none (O_TMPFILE). */
export function create(
  union: Union,
  request: Request,
  parent: number,
  name: Name | undefined,
  birth: Birth,
  entry: Entry,
): number {
  if (union.isDone(request)) return union.enter(union.store.table.lastRequest.ino, entry);
  if (name) {
    const existing = union.child(parent, name);
    if (existing !== 0) return existing < 0 ? existing : -errno.EEXIST;
  }
  const directory = union.copyUp(parent);
  if (directory.nlink === 0) return -errno.ENOENT;
  union.checkInodes();
  const changes = newInode(union, request, directory, birth, name ? (isDirectory(birth) ? 2 : 1) : 0);
  const ino = changes[0].ino;
  if (name)
    changes.push(union.enterName(directory, name.key(), ino), union.touch(directory, isDirectory(birth) ? 1 : 0));
  changes.push(union.done(request, ino));
  union.store.commit(changes);
  return union.enter(ino, entry);
}

function isDirectory(birth: Birth): boolean {
  return (birth.mode & FileType.mask) === FileType.directory;
}

/** The changes that make an inode; the first is its image. */
export function newInode(
  union: Union,
  request: Request,
  directory: Inode,
  birth: Birth,
  nlink: number,
): [ChangeOf<'inode'>, ...Change[]] {
  const ino = union.store.table.nextIno;
  const { sec, nsec } = tick();
  const inherited = inheritAcl(union, directory, ino, birth);
  // inode_init_owner (fs/inode.c): the group of a setgid directory, and setgid itself for directories.
  const setgid = (directory.mode & S_ISGID) !== 0;
  const image: ChangeOf<'inode'> = {
    kind: 'inode',
    ino,
    mode: setgid && isDirectory(birth) ? inherited.mode | S_ISGID : inherited.mode,
    uid: request.uid,
    gid: setgid ? directory.gid : request.gid,
    rdev: birth.rdev,
    nlink,
    size: birth.target?.length ?? 0,
    blocks: 0,
    atime: sec,
    atimeNsec: nsec,
    mtime: sec,
    mtimeNsec: nsec,
    ctime: sec,
    ctimeNsec: nsec,
    data: DataPlace.none,
    flags: 0,
    parent: directory.ino,
  };
  const changes: [ChangeOf<'inode'>, ...Change[]] = [image, ...inherited.changes];
  if (birth.target) changes.push({ kind: 'target', ino, target: Buffer.from(birth.target) });
  return changes;
}
