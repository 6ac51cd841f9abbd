/** Takes an upper layer in the form of overlayfs and fuse-overlayfs, a tree with whiteouts, into a union's own store. */
import { readdirSync } from 'node:fs';
import { FATTR_ATIME, FATTR_GID, FATTR_MODE, FATTR_MTIME, FATTR_UID } from '../../protocol/flags.ts';
import { Entry, FileType } from '../../server/attributes.ts';
import { ROOT_NODE, type Request } from '../../server/file-system.ts';
import { Name } from '../../server/name.ts';
import { checked, systemError } from '../../sys/errors.ts';
import { close, openAt, readlinkAt } from '../../sys/files.ts';
import { AT_FDCWD, O_NOFOLLOW, O_PATH } from '../../sys/open-flags.ts';
import { FileStat, statAt } from '../../sys/stat.ts';
import { getXattr, listXattrs } from '../../sys/xattr.ts';
import { create } from '../operations/create.ts';
import { link } from '../operations/link.ts';
import { setattr } from '../operations/setattr.ts';
import { setxattr } from '../operations/xattr.ts';
import type { Union } from '../union.ts';
import { DataPlace } from '../upper/inode.ts';
import { opaqueMarker, whiteoutPrefix } from '../whiteout-names.ts';

/** Of what nobody asked for: no request of the kernel has this id. */
const request: Request = { opcode: 0, id: 0, resent: false, attempt: 0, uid: 0, gid: 0, pid: 0 };

const opaqueXattrs = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];

/** Throws a system error. Regular files become the store's data files by another link, so nothing is copied. */
export function readTree(union: Union, root: string): void {
  new TreeReader(union).readDirectory(ROOT_NODE, Buffer.from(root));
}

class TreeReader {
  readonly #union: Union;
  readonly #entry = new Entry();
  /** Files with several links, by device and inode. */
  readonly #seen = new Map<string, number>();

  constructor(union: Union) {
    this.#union = union;
  }

  readDirectory(directory: number, path: Buffer): void {
    this.#setXattrs(directory, path);
    for (const bytes of readdirSync(path, { encoding: 'buffer' })) {
      const key = bytes.toString('latin1');
      if (key === opaqueMarker) continue;
      if (key.startsWith(whiteoutPrefix)) this.#hide(directory, key.slice(whiteoutPrefix.length));
      else this.#read(directory, key, Buffer.concat([path, Buffer.from('/'), bytes]));
    }
    this.#setAttributes(directory, statOf(path));
  }

  #read(directory: number, key: string, path: Buffer): void {
    const stat = statOf(path);
    const type = stat.mode & FileType.mask;
    if (type === FileType.character && stat.rdev === 0) return this.#hide(directory, key);
    const name = Name.fromKey(key);
    if (type === FileType.directory) {
      const known = this.#union.child(directory, name);
      if (known > 0 && this.#isDirectory(known) && !isOpaque(path)) {
        this.#union.copyUp(known);
        return this.readDirectory(known, path);
      }
    }
    this.#hide(directory, key);
    const id = stat.identity();
    const first = this.#seen.get(id);
    if (first !== undefined) {
      this.#check(link(this.#union, request, first, directory, name, this.#entry), path);
      this.#union.release(first, 1);
      return;
    }
    const ino = this.#create(directory, name, stat, path);
    if (type === FileType.directory) return this.readDirectory(ino, path);
    this.#seen.set(id, ino);
    if (type === FileType.file) this.#adopt(ino, path);
    if (type !== FileType.symlink) this.#setXattrs(ino, path);
    this.#setAttributes(ino, stat);
  }

  #create(directory: number, name: Name, stat: FileStat, path: Buffer): number {
    const target = (stat.mode & FileType.mask) === FileType.symlink ? readlinkAt(AT_FDCWD, path) : undefined;
    if (typeof target === 'number') throw systemError('readlink', target, `read ${String(path)}`);
    const birth = { mode: stat.mode, umask: 0, rdev: stat.rdev, ...(target && { target }) };
    this.#check(create(this.#union, request, directory, name, birth, this.#entry), path);
    const ino = this.#entry.nodeId;
    this.#union.release(ino, 1);
    return ino;
  }

  #adopt(ino: number, path: Buffer): void {
    const { store } = this.#union;
    store.files.adopt(ino, path);
    store.commit([{ kind: 'data', ino, data: DataPlace.upper }]);
    const inode = store.get(ino)!;
    inode.stale = true;
    store.settle(inode);
  }

  #setAttributes(ino: number, stat: FileStat): void {
    const { mode, uid, gid, atime, atimeNsec, mtime, mtimeNsec } = stat;
    const values = { handle: -1, size: 0, mode, uid, gid, atime, atimeNsec, mtime, mtimeNsec, ctime: 0, ctimeNsec: 0 };
    // The owner first: a new one takes set-id bits away.
    for (const valid of [FATTR_UID | FATTR_GID, FATTR_MODE | FATTR_ATIME | FATTR_MTIME]) {
      setattr(this.#union, ino, { ...values, valid }, this.#entry);
    }
  }

  #setXattrs(ino: number, path: Buffer): void {
    const fd = openAt(AT_FDCWD, path, O_PATH | O_NOFOLLOW);
    if (fd < 0) return;
    const names = listXattrs(fd);
    for (const name of typeof names === 'number' ? [] : names) {
      const value = getXattr(fd, name);
      if (typeof value === 'number' || /^(user|trusted)\.(overlay|fuseoverlayfs)\./.test(name.toString('latin1')))
        continue;
      setxattr(this.#union, request, ino, new Name(name), value, 0, false);
    }
    close(fd);
  }

  /** Nothing that a lower layer has under the name shows. */
  #hide(directory: number, key: string): void {
    const name = Name.fromKey(key);
    const known = this.#union.child(directory, name);
    if (known <= 0) return;
    const inode = this.#union.copyUp(directory);
    const subdirectories = this.#isDirectory(known) ? -1 : 0;
    this.#union.store.commit([this.#union.removeName(inode, name), this.#union.touch(inode, subdirectories)]);
  }

  #isDirectory(ino: number): boolean {
    const result = this.#union.getattr(ino, this.#entry.attributes);
    return result === 0 && (this.#entry.attributes.mode & FileType.mask) === FileType.directory;
  }

  #check(result: number, path: Buffer): void {
    if (result < 0) throw systemError('read', result, `read the upper layer's ${String(path)}`, String(path));
  }
}

function statOf(path: Buffer): FileStat {
  const stat = new FileStat();
  checked(statAt(AT_FDCWD, path, stat), 'stat', `look at ${String(path)}`, String(path));
  return stat;
}

function isOpaque(path: Buffer): boolean {
  if (statAt(AT_FDCWD, Buffer.concat([path, Buffer.from(`/${opaqueMarker}`)]), new FileStat()) === 0) return true;
  const fd = openAt(AT_FDCWD, path, O_PATH | O_NOFOLLOW);
  if (fd < 0) return false;
  const found = opaqueXattrs.some((name) => String(getXattr(fd, name)) === 'y');
  close(fd);
  return found;
}
