import { FileType } from '../../server/attributes.ts';
import type { Change, ChangeOf } from './change.ts';
import { DirectoryEntries } from './directory-entries.ts';
import { Inode, inDataFile, inodeImage } from './inode.ts';

/** The state of an upper layer in memory: what the changes of its journal, one after the other, make of nothing. */
export class InodeTable {
  readonly inodes = new Map<number, Inode>();
  /** The number for the next inode that is born here. */
  nextIno: number;
  /** Lower nodes by number: the directory and the name where the lower layer has them. */
  readonly origins = new Map<number, { parent: number; name: string }>();
  /** The last request of those that can't be done twice. */
  lastRequest = { id: 0, ino: 0 };
  /** What the last `opened` said. */
  boot = '';
  lower = '';
  /** The last server ended in good order. */
  closed = false;

  constructor(firstIno: number) {
    this.nextIno = firstIno;
  }

  /** Never fails, so that a change that is in the journal is also in memory. */
  apply(change: Change): void {
    this.closed = change.kind === 'closed';
    switch (change.kind) {
      case 'inode':
        this.#put(change);
        break;
      case 'touch': {
        const inode = this.inodes.get(change.ino);
        if (!inode) break;
        inode.nlink = change.nlink;
        inode.mtime = inode.ctime = change.mtime;
        inode.mtimeNsec = inode.ctimeNsec = change.mtimeNsec;
        break;
      }
      case 'links': {
        const inode = this.inodes.get(change.ino);
        if (!inode) break;
        inode.nlink = change.nlink;
        inode.ctime = change.ctime;
        inode.ctimeNsec = change.ctimeNsec;
        inode.parent = change.parent;
        break;
      }
      case 'data': {
        const inode = this.inodes.get(change.ino);
        if (!inode) break;
        // Blocks are counted for the data file alone.
        if (!inDataFile(inode)) inode.blocks = 0;
        inode.data = change.data;
        inode.changing = true;
        break;
      }
      case 'entry':
        this.inodes.get(change.parent)?.entries?.set(change.name, change.ino, change.seq);
        break;
      case 'unentry':
        this.inodes.get(change.parent)?.entries?.delete(change.name);
        break;
      case 'target':
        this.#set(change.ino, (inode) => (inode.target = change.target));
        break;
      case 'xattr':
        this.#set(change.ino, (inode) => (inode.xattrs ??= new Map<string, Buffer>()).set(change.name, change.value));
        break;
      case 'unxattr':
        this.inodes.get(change.ino)?.xattrs?.delete(change.name);
        break;
      case 'origin':
        this.origins.set(change.ino, { parent: change.parent, name: change.name });
        break;
      case 'drop':
        this.inodes.delete(change.ino);
        break;
      case 'next':
        this.nextIno = Math.max(this.nextIno, change.ino);
        break;
      case 'request':
        this.lastRequest = { id: change.id, ino: change.ino };
        break;
      case 'opened':
        this.boot = change.boot;
        this.lower = change.lower;
        break;
      case 'closed':
        break;
    }
  }

  /** The fewest changes that make this state. */
  *snapshot(): Generator<Change> {
    yield { kind: 'opened', boot: this.boot, lower: this.lower };
    yield { kind: 'next', ino: this.nextIno };
    yield { kind: 'request', ...this.lastRequest };
    for (const [ino, { parent, name }] of this.origins) yield { kind: 'origin', ino, parent, name };
    for (const inode of this.inodes.values()) {
      yield inodeImage(inode);
      if (inode.changing) yield { kind: 'data', ino: inode.ino, data: inode.data };
      if (inode.target) yield { kind: 'target', ino: inode.ino, target: inode.target };
      for (const [name, value] of inode.xattrs ?? []) yield { kind: 'xattr', ino: inode.ino, name, value };
      for (const { name, seq, ino } of inode.entries?.values() ?? []) {
        yield { kind: 'entry', parent: inode.ino, seq, ino, name };
      }
    }
  }

  /**
   * After a journal was read: sizes, blocks and times that only the server knew which wrote the data have to be looked up, and
   * after a crash of the machine (`otherBoot`) the data files may be shorter than the journal thinks.
   */
  distrust(otherBoot: boolean): void {
    for (const inode of this.inodes.values()) {
      inode.staleTimes = inode.changing;
      inode.stale = inode.changing || (otherBoot && inDataFile(inode));
    }
  }

  #put(change: ChangeOf<'inode'>): void {
    let inode = this.inodes.get(change.ino);
    if (!inode) {
      inode = new Inode(change.ino);
      if ((change.mode & FileType.mask) === FileType.directory) inode.entries = new DirectoryEntries();
      this.inodes.set(change.ino, inode);
    }
    inode.mode = change.mode;
    inode.uid = change.uid;
    inode.gid = change.gid;
    inode.rdev = change.rdev;
    inode.nlink = change.nlink;
    inode.size = change.size;
    inode.blocks = change.blocks;
    inode.atime = change.atime;
    inode.atimeNsec = change.atimeNsec;
    inode.mtime = change.mtime;
    inode.mtimeNsec = change.mtimeNsec;
    inode.ctime = change.ctime;
    inode.ctimeNsec = change.ctimeNsec;
    inode.data = change.data;
    inode.flags = change.flags;
    inode.parent = change.parent;
    inode.changing = false;
    if (change.ino >= this.nextIno) this.nextIno = change.ino + 1;
  }

  #set(ino: number, alter: (inode: Inode) => void): void {
    const inode = this.inodes.get(ino);
    if (inode) alter(inode);
  }
}
