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
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errno, systemError } from '../../sys/errors.ts';
import { syncFileSystem } from '../../sys/io.ts';
import { tryLock } from '../../sys/lock.ts';
import { FileStat } from '../../sys/stat.ts';
import type { Change, ChangeOf } from './change.ts';
import { DataFiles } from './data-files.ts';
import { DataPlace, inDataFile, inodeImage, type Inode } from './inode.ts';
import { InodeTable } from './inode-table.ts';
import { Journal } from './journal.ts';
import { Quota } from './quota.ts';
import { Reserve } from './reserve.ts';

export interface UpperStoreOptions {
  /** The first number for inodes born here; lower ones belong to the lower layer. */
  readonly firstIno: number;
  /** Name of the lower layer, empty where the caller has none. A layer made over one with another name is refused. */
  readonly lower: string;
  /** The mount goes on (its server died): unlinked files may still be open. */
  readonly takeover: boolean;
  /** A look at the layer as it is, also while another process serves it: no lock, no change. */
  readonly readOnly: boolean;
}

/** Journaling the removal of an inode takes about this many bytes; the reserve has them for each, within its bounds. */
const reservedPerInode = 128;
const reserveFloor = 64 * 1024;
const reserveLimit = 32 * 1024 * 1024;

/** A journal is not worth a snapshot below this many bytes. */
const snapshotFloor = 4 * 1024 * 1024;

export class UpperStore {
  readonly table: InodeTable;
  readonly files: DataFiles;
  readonly quota = new Quota();
  /** The machine was started anew, and the last server did not end in good order: what was not synced may be lost. */
  readonly crashed: boolean;
  /** Undefined where the layer is only looked at. */
  readonly #journal: Journal | undefined;
  readonly #reserve: Reserve | undefined;
  readonly #lockFd: number | undefined;
  readonly #syncFirst = new Set<number>();
  readonly #stat = new FileStat();
  #snapshotAt = Infinity;

  private constructor(
    dir: string,
    table: InodeTable,
    journal: Journal | undefined,
    lockFd: number | undefined,
    boot: string,
  ) {
    this.files = new DataFiles(join(dir, 'data'));
    this.table = table;
    this.#journal = journal;
    this.#reserve = journal && new Reserve(join(dir, 'reserve'));
    this.#lockFd = lockFd;
    const rebooted = table.boot !== boot;
    this.crashed = rebooted && !table.closed;
    table.distrust(rebooted);
    for (const inode of table.inodes.values()) if (inDataFile(inode)) this.quota.blocks += inode.blocks;
  }

  /**
   * Opens the layer in the folder `dir`, which is made where there is none. Throws EBUSY where another process serves it, EINVAL
   * where it was made over another lower layer.
   */
  static open(dir: string, options: UpperStoreOptions): UpperStore {
    const path = join(dir, 'journal');
    const table = new InodeTable(options.firstIno);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    function apply(change: Change): void {
      table.apply(change);
    }
    if (options.readOnly) {
      Journal.read(path, apply);
      checkLower(dir, table.lower, options.lower);
      return new UpperStore(dir, table, undefined, undefined, boot);
    }
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const lockFd = takeLock(dir);
    let journal: Journal | undefined;
    try {
      journal = Journal.open(path, apply, () => [{ kind: 'opened', boot, lower: options.lower }]);
      checkLower(dir, table.lower, options.lower);
      const store = new UpperStore(dir, table, journal, lockFd, boot);
      store.#begin(boot, options);
      return store;
    } catch (error) {
      journal?.close();
      closeSync(lockFd);
      throw error;
    }
  }

  /** Tidies up after the last server, as far as a mount does not go on. */
  #begin(boot: string, { lower, takeover }: UpperStoreOptions): void {
    const { table } = this;
    const inOrder = table.closed;
    const rebooted = table.boot !== boot;
    // Another mount counts its requests anew.
    if (!takeover) table.lastRequest = { id: 0, ino: 0 };
    const changes: Change[] = [];
    let orphans = 0;
    for (const inode of table.inodes.values()) {
      if (inode.nlink === 0 && !takeover) {
        changes.push({ kind: 'drop', ino: inode.ino });
        orphans++;
      } else if (rebooted && inode.stale) {
        // Now, since the next server of this boot would believe the journal.
        const { size } = inode;
        const image = this.image(inode);
        if (image.size !== size) changes.push(image);
      }
    }
    this.commit([...changes, { kind: 'opened', boot, lower: lower || table.lower }], true);
    if (!takeover && (!inOrder || rebooted || orphans > 0)) {
      this.files.sweep((ino) => {
        const inode = this.get(ino);
        return inode !== undefined && inDataFile(inode);
      });
    }
    this.#snapshotAt = Math.max(snapshotFloor, this.#journal!.length * 2);
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
    for (const ino of this.#syncFirst) {
      const inode = this.get(ino);
      if (!inode || !inDataFile(inode)) continue;
      const result = this.files.sync(ino, true);
      if (result < 0) return result;
      if (inode.data === DataPlace.copy) durable.push({ kind: 'data', ino, data: DataPlace.upper });
    }
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

/** The descriptor that holds the folder's lock, which ends with the process. */
function takeLock(dir: string): number {
  const fd = openSync(join(dir, 'lock'), 'a', 0o600);
  const locked = tryLock(fd);
  if (locked === 0) return fd;
  closeSync(fd);
  if (locked !== -errno.EWOULDBLOCK) throw systemError('flock', locked, `lock upper layer ${dir}`, dir);
  throw systemError('flock', errno.EBUSY, `open upper layer ${dir}: another process serves it`, dir);
}

function checkLower(dir: string, known: string, given: string): void {
  if (known === '' || given === '' || known === given) return;
  const problem = `it was made over the lower layer ${known}, not ${given} (EINVAL)`;
  throw Object.assign(new Error(`Cannot open upper layer ${dir}: ${problem}`), { code: 'EINVAL', path: dir });
}
