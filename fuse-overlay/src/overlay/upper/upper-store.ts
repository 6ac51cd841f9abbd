/**
 * The upper layer on disk: a folder of plain files of the serving user, on any file system.
 *
 *     journal      all metadata (journal.ts); in memory as an `InodeTable`
 *     data/XX/INO  contents of regular files (data-files.ts)
 *     reserve      room for the removal of things on a full disk (reserve.ts)
 *     lock         locked while a server works on it
 *
 * **Order.** A change is journaled first and then made in memory, where it can't fail. So a full disk shows as an error of the
 * request and nothing else, and a server that is killed leaves what its clients have seen. Data files are made before the
 * journal speaks of them and removed after; strays are swept away at the next clean start.
 *
 * **Contents in motion.** Writing does not go through the journal: one `data` change says that an inode's contents move, and
 * from there on size, blocks and mtime are those of the data file, until an `inode` change states them again.
 *
 * **What fsync promises.** Everything that was done to the synced file or directory is on disk. As it syncs the whole journal,
 * contents that the journal takes for granted (copies from the lower layer, files renamed over others) are synced before.
 */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { errno, systemError } from '../../sys/errors.ts';
import { syncFileSystem } from '../../sys/io.ts';
import { FileStat } from '../../sys/stat.ts';
import type { Change, ChangeOf } from './change.ts';
import { DataFiles } from './data-files.ts';
import { DataPlace, inDataFile, inodeImage, type Inode } from './inode.ts';
import type { InodeTable } from './inode-table.ts';
import type { Journal } from './journal.ts';
import { Quota } from './quota.ts';
import { Reserve } from './reserve.ts';

/** What a store has that may change the layer. */
export interface Writing {
  readonly journal: Journal;
  /** Holds the folder's lock. */
  readonly lockFd: number;
  /** Called at the end, while the folder is locked. */
  readonly remove?: () => void;
}

/** Journaling the removal of an inode takes about this many bytes; the reserve has them for each, within its bounds. */
const reservedPerInode = 128;
const reserveFloor = 64 * 1024;
const reserveLimit = 32 * 1024 * 1024;

/** More files than this are synced with the whole file system. */
const oneByOne = 32;

/** A journal is not worth a snapshot below this many bytes. */
const snapshotFloor = 4 * 1024 * 1024;

export class UpperStore {
  readonly table: InodeTable;
  readonly files: DataFiles;
  readonly quota = new Quota();
  /** The machine was started anew, and the last server did not end in good order: what was not synced may be lost. */
  readonly crashed: boolean;
  /** Told of what was made, right after it. */
  onCommit: ((changes: readonly Change[]) => void) | undefined;
  /** Undefined where the layer is only looked at. */
  readonly #journal: Journal | undefined;
  readonly #reserve: Reserve | undefined;
  readonly #lockFd: number | undefined;
  readonly #remove: (() => void) | undefined;
  readonly #syncFirst = new Set<number>();
  readonly #stat = new FileStat();
  #snapshotAt = Infinity;

  /** Made by `openUpperStore`. `rebooted`: the machine was started anew since the last server. */
  constructor(dir: string, table: InodeTable, writing: Writing | undefined, rebooted: boolean) {
    this.files = new DataFiles(join(dir, 'data'));
    this.table = table;
    this.#journal = writing?.journal;
    this.#lockFd = writing?.lockFd;
    this.#remove = writing?.remove;
    this.#reserve = writing && new Reserve(join(dir, 'reserve'));
    if (writing) this.#snapshotAt = Math.max(snapshotFloor, writing.journal.length * 2);
    this.crashed = rebooted && !table.closed;
    table.distrust(rebooted);
    for (const inode of table.inodes.values()) {
      if (inDataFile(inode)) this.quota.blocks += inode.blocks;
      if (inode.data === DataPlace.copy) this.#syncFirst.add(inode.ino);
    }
  }

  get(ino: number): Inode | undefined {
    return this.table.inodes.get(ino);
  }

  /**
   * Makes the changes, all or none. Throws where the journal can't take them; `isRemoval`: they make room, and may take what is
   * reserved for that.
   */
  commit(changes: readonly Change[], isRemoval = false): void {
    if (!this.#journal) throw systemError('write', errno.EROFS, 'change an upper layer that is only looked at');
    if (isRemoval) this.#appendRemoval(this.#journal, changes);
    else {
      const needed = Math.min(reserveLimit, reserveFloor + this.table.inodes.size * reservedPerInode);
      const reserved = this.#reserve!.ensure(needed);
      if (reserved < 0) throw systemError('fallocate', reserved, 'reserve room for the removal of what is to be made');
      this.#journal.append(changes);
    }
    for (const change of changes) this.table.apply(change);
    this.onCommit?.(changes);
    if (this.#journal.length > this.#snapshotAt) this.#snapshot(this.#journal);
  }

  /** An image of the inode as it is, for a commit that alters it. */
  image(inode: Inode): ChangeOf<'inode'> {
    this.settle(inode);
    return inodeImage(inode);
  }

  /** The inode has neither name nor user any more. */
  drop(inode: Inode): void {
    const change: Change = { kind: 'drop', ino: inode.ino };
    this.#journal?.defer(change);
    this.table.apply(change);
    this.#syncFirst.delete(inode.ino);
    if (!inDataFile(inode)) return;
    this.quota.blocks -= inode.blocks;
    this.files.remove(inode.ino);
  }

  /** Brings `size`, `blocks` and, after a takeover, the times up to what the data file says. */
  settle(inode: Inode): void {
    if (!inode.stale) return;
    inode.stale = false;
    if (!inDataFile(inode)) return;
    const stat = this.#stat;
    const result = this.files.stat(inode.ino, stat);
    if (result < 0) stat.size = stat.blocks = 0;
    inode.size = stat.size;
    this.setBlocks(inode, stat.blocks);
    if (!inode.staleTimes) return;
    inode.staleTimes = false;
    if (result < 0) return;
    inode.mtime = inode.ctime = stat.mtime;
    inode.mtimeNsec = inode.ctimeNsec = stat.mtimeNsec;
  }

  setBlocks(inode: Inode, blocks: number): void {
    this.quota.blocks += blocks - inode.blocks;
    inode.blocks = blocks;
  }

  /** Contents that must be on disk before the journal's present end is. */
  syncBeforeJournal(ino: number): void {
    this.#syncFirst.add(ino);
  }

  /** The inode's contents and attributes reach the disk. */
  sync(inode: Inode | undefined, dataOnly: boolean): number {
    if (inode && inDataFile(inode) && inode.unsynced) {
      const result = this.files.sync(inode.ino, dataOnly);
      if (result < 0) return result;
      inode.unsynced = false;
    }
    return this.#syncJournal();
  }

  /** Everything reaches the disk. */
  syncAll(): number {
    const result = syncFileSystem(this.files.directory);
    if (result < 0) return result;
    return this.#syncJournal();
  }

  /** States what only memory knows, marks a good end, and closes everything. */
  close(): void {
    try {
      const images: Change[] = [];
      for (const inode of this.table.inodes.values()) {
        if (inode.changing) images.push(this.image(inode));
      }
      this.#journal?.append([...images, { kind: 'closed' }]);
    } catch {
      // A full disk: the next start then looks at the data files.
    }
    this.#journal?.close();
    this.#reserve?.close();
    this.files.close();
    this.#remove?.();
    if (this.#lockFd !== undefined) closeSync(this.#lockFd);
  }

  #appendRemoval(journal: Journal, changes: readonly Change[]): void {
    for (;;) {
      try {
        journal.append(changes);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if ((code !== 'ENOSPC' && code !== 'EDQUOT') || !this.#reserve!.give()) throw error;
        // What was removed so far may leave a journal that is shorter than what is left of the reserve.
        if (this.#reserve!.size === 0) this.#snapshot(journal);
      }
    }
  }

  #syncJournal(): number {
    if (!this.#journal?.needsSync) return 0;
    const durable: Change[] = [];
    const isLot = this.#syncFirst.size > oneByOne;
    let result = isLot ? syncFileSystem(this.files.directory) : 0;
    for (const ino of this.#syncFirst) {
      const inode = this.get(ino);
      if (!inode || !inDataFile(inode)) continue;
      if (!isLot) result = this.files.sync(ino, true);
      if (result < 0) return result;
      if (inode.data === DataPlace.copy) durable.push({ kind: 'data', ino, data: DataPlace.upper });
    }
    if (result < 0) return result;
    if (durable.length > 0) this.commit(durable, true);
    this.#syncFirst.clear();
    this.#journal.sync();
    return 0;
  }

  #snapshot(journal: Journal): void {
    try {
      if (this.#syncFirst.size > 0) this.#syncJournal();
      journal.replace(this.table.snapshot());
      this.#snapshotAt = Math.max(snapshotFloor, journal.length * 3);
    } catch {
      // The old journal is whole and goes on; perhaps there is more room later.
      this.#snapshotAt = journal.length * 2;
    }
  }
}
