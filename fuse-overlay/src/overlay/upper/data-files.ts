/**
 * Contents of regular files in the upper layer: one flat file for each inode, `data/XX/NUMBER` in hexadecimal, so that renames
 * and links never touch them. Results are as in sys/: negative is `-errno`.
 */
import { FdCache } from '../../layers/fd-cache.ts';
import { errno } from '../../sys/errors.ts';
import { readDirectory } from '../../sys/directory.ts';
import { close, linkAt, mkdirAt, openAt, unlinkAt } from '../../sys/files.ts';
import { fsync } from '../../sys/io.ts';
import { AT_FDCWD, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC } from '../../sys/open-flags.ts';
import { statAt, statFd, type FileStat } from '../../sys/stat.ts';
import { checked } from '../../sys/errors.ts';

/** Descriptors that each layer keeps open. Opening again costs a few microseconds. */
const keptOpen = 1024;

/** One process may serve many layers: where one finds no descriptor left, all give some. */
const layers = new Set<DataFiles>();

export class DataFiles {
  readonly #dirFd: number;
  readonly #open: FdCache;
  /** Directories (`.` and `XX`) whose names are known to be on disk. */
  readonly #synced = new Set<string>();

  constructor(dir: string, capacity: number = keptOpen) {
    this.#open = new FdCache(capacity);
    const made = mkdirAt(AT_FDCWD, dir, 0o700);
    if (made !== -errno.EEXIST) checked(made, 'mkdir', `make the data directory of an upper layer, ${dir}`, dir);
    this.#dirFd = checked(openAt(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY), 'open', `open ${dir}`, dir);
    layers.add(this);
  }

  /** A descriptor on the backing file system. */
  get directory(): number {
    return this.#dirFd;
  }

  /** The descriptor of the inode's file, read-write; ours to close, when it is the one used longest ago. A file that a crash took is made anew, empty. */
  fd(ino: number): number {
    const known = this.#open.get(ino);
    if (known >= 0) return known;
    const fd = this.#openFile(ino, O_RDWR);
    if (fd === -errno.ENOENT) return this.create(ino);
    return fd < 0 ? fd : this.#keep(ino, fd);
  }

  /** A descriptor to read the inode's file by, the caller's. */
  openForReading(ino: number): number {
    return this.#openFile(ino, O_RDONLY);
  }

  /** Makes the inode's file, empty, also where there is one. */
  create(ino: number): number {
    this.closeFile(ino);
    const flags = O_RDWR | O_CREAT | O_TRUNC;
    let fd = this.#openFile(ino, flags);
    if (fd === -errno.ENOENT) {
      const made = mkdirAt(this.#dirFd, folderOf(ino), 0o700);
      if (made < 0 && made !== -errno.EEXIST) return made;
      this.#synced.delete('.');
      fd = this.#openFile(ino, flags);
    }
    if (fd < 0) return fd;
    this.#synced.delete(folderOf(ino));
    return this.#keep(ino, fd);
  }

  /** Another name for the inode's file, anywhere on this file system. Throws a system error. */
  link(ino: number, path: Buffer): void {
    checked(linkAt(this.#dirFd, pathOf(ino), AT_FDCWD, path), 'link', `link to ${String(path)}`, String(path));
  }

  /** As the inode's file one that there is, by another name of its own. Throws a system error. */
  adopt(ino: number, path: Buffer): void {
    mkdirAt(this.#dirFd, folderOf(ino), 0o700);
    this.#synced.clear();
    checked(linkAt(AT_FDCWD, path, this.#dirFd, pathOf(ino)), 'link', `link from ${String(path)}`, String(path));
  }

  remove(ino: number): number {
    this.closeFile(ino);
    return unlinkAt(this.#dirFd, pathOf(ino));
  }

  stat(ino: number, out: FileStat): number {
    const known = this.#open.get(ino);
    return known >= 0 ? statFd(known, out) : statAt(this.#dirFd, pathOf(ino), out);
  }

  /** Contents and name of the file reach the disk. */
  sync(ino: number, dataOnly: boolean): number {
    const fd = this.fd(ino);
    if (fd < 0) return fd;
    const result = fsync(fd, dataOnly);
    if (result < 0) return result;
    const synced = this.#syncFolder(folderOf(ino));
    return synced < 0 ? synced : this.#syncFolder('.');
  }

  closeFile(ino: number): void {
    this.#open.delete(ino);
  }

  /** Removes the files whose inode has no use for them. */
  sweep(isUsed: (ino: number) => boolean): void {
    for (const { name: folder } of list(this.#dirFd)) {
      const fd = openAt(this.#dirFd, folder, O_RDONLY | O_DIRECTORY);
      if (fd < 0) continue;
      for (const { name } of list(fd)) {
        const ino = Number.parseInt(name.toString('latin1'), 16);
        if (!isUsed(ino)) unlinkAt(fd, name);
      }
      close(fd);
    }
  }

  close(): void {
    layers.delete(this);
    this.#open.close();
    close(this.#dirFd);
  }

  #keep(ino: number, fd: number): number {
    this.#open.set(ino, fd);
    return fd;
  }

  #openFile(ino: number, flags: number): number {
    const fd = openAt(this.#dirFd, pathOf(ino), flags, 0o600);
    if (fd !== -errno.EMFILE && fd !== -errno.ENFILE) return fd;
    for (const layer of layers) layer.#open.shrink();
    return openAt(this.#dirFd, pathOf(ino), flags, 0o600);
  }

  #syncFolder(folder: string): number {
    if (this.#synced.has(folder)) return 0;
    const fd = openAt(this.#dirFd, folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return fd;
    const result = fsync(fd, false);
    close(fd);
    if (result === 0) this.#synced.add(folder);
    return result;
  }
}

function folderOf(ino: number): string {
  return (ino % 256).toString(16).padStart(2, '0');
}

function pathOf(ino: number): string {
  return `${folderOf(ino)}/${ino.toString(16)}`;
}

function list(fd: number): { name: Buffer }[] {
  const entries = readDirectory(fd);
  return typeof entries === 'number' ? [] : entries;
}
