/**
 * What the operations of the union share: nodes, their attributes, and the copy-up of what is about to change.
 *
 * **Theory.** The union is not made of paths but of inodes. A lower file has the same number as in the lower layer; the upper
 * layer holds an inode under that number from the first change on (attributes, contents or names), and only that. A lower
 * directory's upper inode holds what differs from it: new names, and whiteouts. So
 *
 * - copying up needs no copies of the directories above, leaves hard links alone, and changes no inode number;
 * - a lower directory is renamed by entering its number elsewhere and a whiteout in the old place: its contents come along;
 * - a directory that takes the place of a deleted lower one is a new inode, with nothing below it to hide.
 */
import type { Attributes, Entry } from '../server/attributes.ts';
import { FileType } from '../server/attributes.ts';
import { Attributes as AttributesClass } from '../server/attributes.ts';
import type { Request } from '../server/file-system.ts';
import type { Name } from '../server/name.ts';
import type { Notifier } from '../server/notifier.ts';
import { errno, systemError } from '../sys/errors.ts';
import { tick } from './clock.ts';
import type { LowerNodes } from './lower-nodes.ts';
import type { Change, ChangeOf } from './upper/change.ts';
import { DataPlace, fillAttributes, lowerImage, type Inode } from './upper/inode.ts';
import type { UpperStore } from './upper/upper-store.ts';

/** Ids as programs see them where the mount's user namespace maps only one. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface UnionOptions {
  readonly owner: Owner | undefined;
  /** Seconds that the kernel may keep what it knows of lower nodes. */
  readonly lowerTimeout: number;
  /** A dead server's mount goes on. */
  readonly takeover: boolean;
  /** The kernel gathers writes, and keeps their time. */
  readonly writeback: boolean;
  /** The upper layer is kept as a tree, too (tree/tree-mirror.ts). */
  readonly keepsTree: boolean;
}

/** Everything changes through the kernel alone, so it may keep what it knows. */
const forever = 1e9;

export class Union {
  readonly store: UpperStore;
  readonly lower: LowerNodes;
  readonly owner: Owner | undefined;
  readonly lowerTimeout: number;
  readonly writeback: boolean;
  readonly keepsTree: boolean;
  /** From the start of the session on. */
  notify: Notifier | undefined;
  /** Inodes below this one may have been given out by an earlier server of the same mount. */
  readonly #inheritedBelow: number;
  readonly #counts = new Map<number, number>();
  readonly #attributes = new AttributesClass();

  constructor(store: UpperStore, lower: LowerNodes, options: UnionOptions) {
    this.store = store;
    this.lower = lower;
    this.owner = options.owner;
    this.lowerTimeout = options.lowerTimeout;
    this.writeback = options.writeback;
    this.keepsTree = options.keepsTree;
    this.#inheritedBelow = options.takeover ? store.table.nextIno : 0;
  }

  isLower(ino: number): boolean {
    return ino < this.lower.firstUpper;
  }

  getattr(ino: number, out: Attributes): number {
    const result = this.stored(ino, out);
    this.present(out);
    return result;
  }

  /** As `getattr`, with the owner that the layers have. */
  stored(ino: number, out: Attributes): number {
    const inode = this.store.get(ino);
    if (!inode) return this.isLower(ino) ? this.lower.getattr(ino, out) : -errno.ESTALE;
    this.store.settle(inode);
    fillAttributes(inode, out);
    return 0;
  }

  readlink(ino: number): Buffer | number {
    const target = this.store.get(ino)?.target;
    if (target) return target;
    const node = this.isLower(ino) ? this.lower.node(ino) : -errno.ESTALE;
    return node < 0 ? node : this.lower.layer.readlink(node);
  }

  /** Shows every file as the one owner that the kernel lets through. */
  present(out: Attributes): void {
    if (!this.owner) return;
    out.uid = this.owner.uid;
    out.gid = this.owner.gid;
  }

  /** The number of a name, 0 where there is none, or a negative errno. Counts no reference; `out` is filled for lower files only. */
  child(directory: number, name: Name, out: Attributes = this.#attributes): number {
    const entries = this.store.get(directory)?.entries;
    const entry = entries?.size ? entries.get(name.key()) : undefined;
    if (entry) return entry.ino;
    return this.lowerChild(directory, name, out);
  }

  /** As `child`, of the lower directory alone. */
  lowerChild(directory: number, name: Name, out: Attributes = this.#attributes): number {
    if (!this.isLower(directory)) return 0;
    const ino = this.lower.lookup(directory, name, out);
    if (ino === -errno.ENOENT) return 0;
    return ino < 0 && this.isLowerGone(directory, ino) ? 0 : ino;
  }

  /**
   * Of a failure in a lower directory: there is nothing in it for us. Either the layer has none there any more (ours still is),
   * or it may not be searched by the serving user (the host's `/root`): to whom it is shown it is an empty one then.
   */
  isLowerGone(directory: number, error: number): boolean {
    if (error === -errno.EACCES) return true;
    return (error === -errno.ESTALE || error === -errno.ENOTDIR) && this.store.get(directory) !== undefined;
  }

  /** Answers with the node and counts a reference. */
  enter(ino: number, entry: Entry): number {
    const result = this.getattr(ino, entry.attributes);
    if (result < 0) return result;
    this.reply(ino, entry);
    this.lower.remember();
    return 0;
  }

  /** As `enter`, where the attributes are filled in. */
  reply(ino: number, entry: Entry): void {
    entry.nodeId = ino;
    entry.generation = 0;
    entry.entryTimeout = entry.attrTimeout = this.timeout(ino);
    this.refer(ino);
  }

  /** Counts a reference that the kernel gets. */
  refer(ino: number): void {
    if (this.isLower(ino)) this.lower.count(ino);
    else this.#counts.set(ino, (this.#counts.get(ino) ?? 0) + 1);
  }

  timeout(ino: number): number {
    return this.store.get(ino) || !this.isLower(ino) ? forever : this.lowerTimeout;
  }

  /** How long the kernel may remember that a name of the directory does not exist. */
  absenceTimeout(directory: number): number {
    return this.isLower(directory) ? this.lowerTimeout : forever;
  }

  /** Takes references back that the kernel gives back. `unsure`: it may hold some that an earlier server gave. */
  release(ino: number, count: number): 'held' | 'gone' | 'unsure' {
    let left: number;
    if (this.isLower(ino)) {
      left = this.lower.release(ino, count);
    } else {
      left = (this.#counts.get(ino) ?? 0) - count;
      if (left === 0) this.#counts.delete(ino);
      else this.#counts.set(ino, left);
    }
    if (left > 0) return 'held';
    // The kernel gives back all at once when it lets an inode go (but for lost races over a reply, which give back one that
    // this server gave). So a count below zero tells that those of an earlier server are gone, too.
    return left < 0 || ino >= this.#inheritedBelow ? 'gone' : 'unsure';
  }

  /**
   * Has the kernel say whether it has the inode. For inodes without a name alone: it waits for one that it is just letting go,
   * and with one that has a name that may take a write to us.
   */
  isUnknownToKernel(ino: number): boolean {
    return this.notify?.invalidateNode(ino, -1, 0) === -errno.ENOENT;
  }

  /**
   * The upper inode of a number; made of the lower file's attributes where there is none yet. Throws an errno. `isRemoval`: for a
   * change that makes room.
   */
  copyUp(ino: number, isRemoval = false): Inode {
    const known = this.store.get(ino);
    if (known) return known;
    const place = this.lower.place(ino);
    const directory = place && this.copyUp(place.parent, isRemoval);
    const attributes = this.#attributes;
    const result = this.isLower(ino) ? this.lower.getattr(ino, attributes) : -errno.ESTALE;
    if (result < 0) throw systemError('copy-up', result, `copy up inode ${ino}`);
    if (!isRemoval) this.checkInodes();
    const isFile = (attributes.mode & FileType.mask) === FileType.file;
    const data = isFile && attributes.size > 0 ? DataPlace.lower : DataPlace.none;
    const changes = this.lower.origins(ino, (each) => this.store.table.origins.has(each));
    changes.push(lowerImage(ino, attributes, data, place?.parent ?? 0));
    // The layer may change: the name stays with this file, whatever becomes of it below.
    if (directory && !directory.entries!.get(place.name)) changes.push(this.enterName(directory, place.name, ino));
    this.store.commit(changes, isRemoval);
    return this.store.get(ino)!;
  }

  /**
   * Names, links and renames can't be done twice, but a server may die between doing and answering, and the kernel asks its
   * successor again. So the journal has with each such change the request that it was for. True: that is what happened.
   */
  isDone(request: Request): boolean {
    return request.resent && request.id === this.store.table.lastRequest.id;
  }

  /** To be part of the change that the request asked for; `ino`: the inode to answer with. */
  done(request: Request, ino = 0): Change {
    return { kind: 'request', id: request.id, ino };
  }

  /** Throws ENOSPC when the quota has no inode left. */
  checkInodes(): void {
    if (!this.store.quota.hasInodes(this.store.table.inodes.size)) {
      throw systemError('quota', errno.ENOSPC, 'make an inode: the quota of inodes is used up');
    }
  }

  /** Enters `ino` under the name. */
  enterName(directory: Inode, name: string, ino: number): Change {
    return { kind: 'entry', parent: directory.ino, seq: directory.entries!.seqFor(name), ino, name };
  }

  /** Takes away a name that there is: with a whiteout where the lower directory has it, too. */
  removeName(directory: Inode, name: Name): Change {
    const key = name.key();
    const isOurs = directory.entries!.get(key) !== undefined;
    return isOurs && this.lowerChild(directory.ino, name) === 0
      ? { kind: 'unentry', parent: directory.ino, name: key }
      : this.enterName(directory, key, 0);
  }

  /** A name was added or removed; `subdirectories` is by how many directories it has more now. */
  touch(directory: Inode, subdirectories: number): ChangeOf<'touch'> {
    const { sec, nsec } = tick();
    // One link means that the backing file system does not count subdirectories (btrfs).
    const nlink = directory.nlink < 2 ? directory.nlink : directory.nlink + subdirectories;
    return { kind: 'touch', ino: directory.ino, nlink, mtime: sec, mtimeNsec: nsec };
  }

  /** An inode got or lost names; `parent` is a directory that has it. */
  links(inode: Inode, nlink: number, parent: number): ChangeOf<'links'> {
    const { sec, nsec } = tick();
    return { kind: 'links', ino: inode.ino, nlink, ctime: sec, ctimeNsec: nsec, parent };
  }
}

export function isDirectory(inode: Inode): boolean {
  return inode.entries !== undefined;
}

export function isFile(inode: Inode): boolean {
  return (inode.mode & FileType.mask) === FileType.file;
}
