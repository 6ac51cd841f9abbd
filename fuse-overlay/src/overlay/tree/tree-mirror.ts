/**
 * Keeps a folder as overlayfs and fuse-overlayfs would have it: the upper layer as a tree, with whiteouts and opaque directories.
 *
 * **Theory.** Whatever changes goes through the store as a list of changes (upper/change.ts). The mirror is told of each list
 * right after it was made, and does to the folder what it says of names, attributes and contents. Regular files are hard links of
 * the store's data files, so contents need no second copy and no further word: what is written is there.
 *
 * **Limits.** A tree cannot say that a directory of the lower layer lies elsewhere now, so a union with a mirror refuses to
 * rename one (EXDEV, at which mv copies). What the serving user may not do on the folder's file system (other owners, devices,
 * attributes) is left out there; the union itself has it.
 */
import {
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { FileType } from '../../server/attributes.ts';
import { ROOT_NODE } from '../../server/file-system.ts';
import { Name } from '../../server/name.ts';
import { checked, errno, systemError } from '../../sys/errors.ts';
import { close, mknodAt, openAt, renameAt, utimesAt } from '../../sys/files.ts';
import { AT_FDCWD, O_NOFOLLOW, O_PATH, RENAME_EXCHANGE } from '../../sys/open-flags.ts';
import { removeXattr, setXattr } from '../../sys/xattr.ts';
import { copyFromLower } from '../operations/contents.ts';
import { xattrsOf } from '../operations/xattr.ts';
import type { Union } from '../union.ts';
import type { Change } from '../upper/change.ts';
import { DataPlace, type Inode } from '../upper/inode.ts';
import { opaqueMarker, whiteoutPrefix } from '../whiteout-names.ts';

/** A name of a directory, and what it is for: an inode, a whiteout (0), or nothing (undefined). */
interface Slot {
  readonly parent: number;
  readonly name: string;
  readonly before: number | undefined;
  after: number | undefined;
  /** The folder has it. */
  isDone: boolean;
}

export class TreeMirror {
  readonly #union: Union;
  readonly #root: Buffer;
  readonly #names = new Map<number, Map<string, number>>();
  /** Where each inode is, as `parent/name`. */
  readonly #places = new Map<number, Set<string>>();
  /** The folder has it all already: changes are only taken note of. */
  isReading = true;

  constructor(union: Union, root: string) {
    this.#union = union;
    this.#root = Buffer.from(root);
  }

  /** To be called with what was committed. */
  apply(changes: readonly Change[]): void {
    const slots = this.#slots(changes);
    if (!this.isReading) this.#move(slots);
    for (const slot of slots) this.#note(slot);
    if (this.isReading) return;
    for (const change of changes) {
      if (change.kind === 'inode') this.#attributes(change.ino);
      else if (change.kind === 'xattr') this.#xattr(change.ino, change.name, change.value);
      else if (change.kind === 'unxattr') this.#xattr(change.ino, change.name, undefined);
    }
  }

  #slots(changes: readonly Change[]): Slot[] {
    const slots = new Map<string, Slot>();
    for (const change of changes) {
      if (change.kind !== 'entry' && change.kind !== 'unentry') continue;
      const { parent, name } = change;
      const key = `${parent}/${name}`;
      const after = change.kind === 'entry' ? change.ino : undefined;
      const known = slots.get(key);
      if (known) known.after = after;
      else slots.set(key, { parent, name, before: this.#names.get(parent)?.get(name), after, isDone: false });
    }
    return [...slots.values()];
  }

  #move(slots: readonly Slot[]): void {
    for (const slot of slots) {
      const { before } = slot;
      const target = before ? slots.find((other) => other !== slot && other.after === before) : undefined;
      if (target === undefined || target.isDone) continue;
      const [from, to] = [this.#pathOf(slot), this.#pathOf(target)];
      if (target.before && slot.after === target.before) {
        checked(renameAt(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE), 'rename', `exchange ${String(from)}`);
        slot.isDone = target.isDone = true;
        this.#markOpaque(target.before, from, slot);
      } else {
        if (target.before !== undefined && this.#isDirectory(before!)) this.#remove(to, target);
        renameSync(from, to);
        target.isDone = true;
        this.#place(slot, from);
      }
      this.#markOpaque(before!, to, target);
    }
    for (const slot of slots) {
      if (slot.isDone || slot.before === slot.after) continue;
      const path = this.#pathOf(slot);
      if (slot.before !== undefined) this.#remove(path, slot);
      this.#place(slot, path);
    }
  }

  /** Puts what belongs there in a place that is free. */
  #place(slot: Slot, path: Buffer): void {
    slot.isDone = true;
    if (slot.after === 0) this.#whiteout(path, slot);
    else if (slot.after !== undefined) this.#make(slot.after, path, slot);
  }

  #note({ parent, name, before, after }: Slot): void {
    const names = this.#names.get(parent) ?? new Map<string, number>();
    this.#names.set(parent, names);
    const place = `${parent}/${name}`;
    if (before) this.#places.get(before)?.delete(place);
    if (after === undefined) names.delete(name);
    else names.set(name, after);
    if (after) this.#places.set(after, (this.#places.get(after) ?? new Set()).add(place));
  }

  /** Makes what the tree has not of an inode yet, or another link of what it has. */
  #make(ino: number, path: Buffer, slot: Slot): void {
    const inode = this.#union.store.get(ino);
    if (!inode) return;
    const known = this.#anyPath(ino);
    if (known) return linkSync(known, path);
    switch (inode.mode & FileType.mask) {
      case FileType.directory:
        mkdirSync(path);
        this.#names.set(ino, new Map());
        this.#markOpaque(ino, path, slot);
        break;
      case FileType.symlink: {
        const target = this.#union.readlink(ino);
        if (typeof target === 'number') throw systemError('readlink', target, `read link ${ino}`);
        symlinkSync(target, path);
        break;
      }
      case FileType.file:
        this.#ensureData(inode);
        this.#union.store.files.link(ino, path);
        break;
      default:
        // Devices only where the user may, which is not in a user namespace.
        if (mknodAt(AT_FDCWD, path, inode.mode, inode.rdev) < 0) return;
    }
    this.#setAttributes(inode, path);
    for (const [key, value] of xattrsOf(this.#union, ino)) setPathXattr(path, key, value);
  }

  /** The data file, with what the lower file has in it where the union does not need it yet. */
  #ensureData(inode: Inode): void {
    if (inode.data === DataPlace.upper || inode.data === DataPlace.copy) return;
    const fd = this.#union.store.files.create(inode.ino);
    if (fd < 0) throw systemError('open', fd, `make the data file of inode ${inode.ino}`);
    if (inode.data === DataPlace.lower) copyFromLower(this.#union, inode, fd, inode.size);
  }

  #attributes(ino: number): void {
    const inode = this.#union.store.get(ino);
    const path = ino === ROOT_NODE ? this.#root : this.#anyPath(ino);
    if (inode && path) this.#setAttributes(inode, path);
  }

  #setAttributes(inode: Inode, path: Buffer): void {
    const { mode, uid, gid, atime, atimeNsec, mtime, mtimeNsec } = inode;
    ifPermitted(() => lchownSync(path, uid, gid));
    if ((mode & FileType.mask) !== FileType.symlink) ifPermitted(() => chmodSync(path, mode & 0o7777));
    utimesAt(AT_FDCWD, path, { atime, atimeNsec, mtime, mtimeNsec });
  }

  #xattr(ino: number, key: string, value: Buffer | undefined): void {
    const path = ino === ROOT_NODE ? this.#root : this.#anyPath(ino);
    if (path) setPathXattr(path, key, value);
  }

  /** Where a directory that was born in the upper layer covers something of the lower one. */
  #markOpaque(ino: number, path: Buffer, { parent, name }: Slot): void {
    if (!this.#isDirectory(ino) || this.#union.isLower(ino)) return;
    if (this.#union.lowerChild(parent, Name.fromKey(name)) <= 0) return;
    writeFileSync(Buffer.concat([path, Buffer.from(`/${opaqueMarker}`)]), '');
  }

  #isDirectory(ino: number): boolean {
    return this.#union.store.get(ino)?.entries !== undefined;
  }

  #whiteout(path: Buffer, { parent, name }: Slot): void {
    // A device 0:0 is a whiteout, which anybody may make since Linux 5.8; where not, fuse-overlayfs' form of it.
    if (mknodAt(AT_FDCWD, path, FileType.character, 0) === 0) return;
    writeFileSync(this.#path(parent, whiteoutPrefix + name), '');
  }

  #remove(path: Buffer, { parent, name }: Slot): void {
    try {
      unlinkSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') rmSync(this.#path(parent, whiteoutPrefix + name), { force: true });
      // A directory, which the union saw as empty: what is left in it are whiteouts.
      else rmSync(path, { recursive: true, force: true });
    }
  }

  #anyPath(ino: number): Buffer | undefined {
    for (const place of this.#places.get(ino) ?? []) {
      const at = place.indexOf('/');
      return this.#path(Number(place.slice(0, at)), place.slice(at + 1));
    }
    return undefined;
  }

  #pathOf({ parent, name }: Slot): Buffer {
    return this.#path(parent, name);
  }

  #path(parent: number, name: string): Buffer {
    const folder = parent === ROOT_NODE ? this.#root : this.#anyPath(parent);
    if (!folder) throw systemError('mirror', errno.ENOENT, `find directory ${parent} in the upper tree`);
    return Buffer.concat([folder, Buffer.from('/'), Buffer.from(name, 'latin1')]);
  }
}

function setPathXattr(path: Buffer, key: string, value: Buffer | undefined): void {
  const fd = openAt(AT_FDCWD, path, O_PATH | O_NOFOLLOW);
  if (fd < 0) return;
  const name = Buffer.from(key, 'latin1');
  if (value) setXattr(fd, name, value);
  else removeXattr(fd, name);
  close(fd);
}

function ifPermitted(change: () => void): void {
  try {
    change();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EINVAL') throw error;
  }
}
