/** Opening an upper layer: who may, what the last server left, and what has to be tidied up after it. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errno, systemError } from '../../sys/errors.ts';
import { tryLock } from '../../sys/lock.ts';
import type { Change } from './change.ts';
import { inDataFile } from './inode.ts';
import { InodeTable } from './inode-table.ts';
import { Journal } from './journal.ts';
import { UpperStore } from './upper-store.ts';

export interface UpperStoreOptions {
  /** The first number for inodes born here; lower ones belong to the lower layer. */
  readonly firstIno: number;
  /** Name of the lower layer, empty where the caller has none. A layer made over one with another name is refused. */
  readonly lower: string;
  /** The mount goes on (its server died): unlinked files may still be open. */
  readonly takeover: boolean;
  /** A look at the layer as it is, also while another process serves it: no lock, no change. */
  readonly readOnly: boolean;
  /** Something else lasts: what lies in the folder is removed at the start, and what was made at the end. */
  readonly temporary: boolean;
}

/**
 * Opens the layer in the folder `dir`, which is made where there is none. Throws EBUSY where another process serves it, EINVAL
 * where it was made over another lower layer.
 */
export function openUpperStore(dir: string, options: UpperStoreOptions): UpperStore {
  const path = join(dir, 'journal');
  const table = new InodeTable(options.firstIno);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  function apply(change: Change): void {
    table.apply(change);
  }
  if (options.readOnly) {
    Journal.read(path, apply);
    checkLower(dir, table.lower, options.lower);
    return new UpperStore(dir, table, undefined, table.boot !== boot);
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lockFd = takeLock(dir);
  let journal: Journal | undefined;
  try {
    if (options.temporary) removeContents(dir);
    journal = Journal.open(path, apply, () => [{ kind: 'opened', boot, lower: options.lower }]);
    checkLower(dir, table.lower, options.lower);
    const isInOrder = table.closed && table.boot === boot;
    const remove = options.temporary ? () => removeContents(dir) : undefined;
    const store = new UpperStore(dir, table, { journal, lockFd, ...(remove && { remove }) }, table.boot !== boot);
    tidyUp(store, boot, isInOrder, options);
    return store;
  } catch (error) {
    journal?.close();
    closeSync(lockFd);
    throw error;
  }
}

/** All but the lock, which whoever comes next waits for. */
function removeContents(dir: string): void {
  for (const name of ['journal', 'data', 'reserve', 'seen']) rmSync(join(dir, name), { recursive: true, force: true });
}

/** Drops what has no name any more and sweeps up strays, unless a mount goes on in which they may be open. */
function tidyUp(store: UpperStore, boot: string, isInOrder: boolean, { lower, takeover }: UpperStoreOptions): void {
  const { table } = store;
  const rebooted = table.boot !== boot;
  // Another mount counts its requests anew.
  if (!takeover) table.lastRequest = { id: 0, ino: 0 };
  const changes: Change[] = [];
  for (const inode of table.inodes.values()) {
    if (inode.nlink === 0 && !takeover) {
      store.drop(inode);
    } else if (rebooted && inode.stale) {
      // Now, since the next server of this boot would believe the journal.
      const { size } = inode;
      const image = store.image(inode);
      if (image.size !== size) changes.push(image);
    }
  }
  store.commit([...changes, { kind: 'opened', boot, lower: lower || table.lower }], true);
  if (takeover || isInOrder) return;
  store.files.sweep((ino) => {
    const inode = store.get(ino);
    return inode !== undefined && inDataFile(inode);
  });
}

/** A server that was killed, or whose mount has just gone, has its lock for some moments yet: milliseconds to wait for it. */
const patience = 2000;

/** The descriptor that holds the folder's lock, which ends with the process. */
function takeLock(dir: string): number {
  const fd = openSync(join(dir, 'lock'), 'a', 0o600);
  const until = Date.now() + patience;
  let locked = tryLock(fd);
  while (locked === -errno.EWOULDBLOCK && Date.now() < until) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    locked = tryLock(fd);
  }
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
