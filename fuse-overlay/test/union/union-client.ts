import {
  Entry,
  Name,
  type AttributeChange,
  type Attributes,
  type DirectoryReply,
  type ReadRoom,
  type Request,
} from '../../src/index.ts';
import { Opened, StatFs } from '../../src/index.ts';
import type { UnionFileSystem } from '../../src/overlay/union-file-system.ts';
import { allocate } from '../../src/sys/memory.ts';
import { readAtLast, readRoom } from '../support/read-room.ts';
import { FATTR_ATIME, FATTR_GID, FATTR_MODE, FATTR_MTIME, FATTR_SIZE, FATTR_UID } from '../../src/protocol/flags.ts';

const memory = allocate(1024 * 1024);

function stretch(length: number): ReadRoom {
  return readRoom(memory, 0, length);
}

export interface Listed {
  readonly name: string;
  readonly ino: number;
  readonly mode: number;
}

/** Calls a union as the server would, without a kernel. Names are latin1 strings; results negative errnos or values. */
export class UnionClient {
  readonly request = { opcode: 0, id: 0, resent: false, attempt: 0, uid: 0, gid: 0, pid: 1 } satisfies Request;
  readonly entry = new Entry();
  fs: UnionFileSystem;

  constructor(fs: UnionFileSystem) {
    this.fs = fs;
  }

  get attributes(): Attributes {
    return this.entry.attributes;
  }

  /** The server's answer to an exception. */
  #call(operation: () => number): number {
    try {
      return operation();
    } catch (error) {
      const { errno } = error as { errno?: number };
      if (errno === undefined) throw error;
      return errno;
    }
  }

  #entered(operation: () => number): number {
    this.entry.nodeId = -1;
    const result = this.#call(operation);
    return result < 0 ? result : this.entry.nodeId;
  }

  /** 0 where the name does not exist. */
  lookup(parent: number, name: string): number {
    return this.#entered(() => this.fs.lookup(this.request, parent, Name.fromKey(name), this.entry));
  }

  mknod(parent: number, name: string, mode: number, rdev = 0): number {
    return this.#entered(() => this.fs.mknod(this.request, parent, Name.fromKey(name), mode, rdev, 0, this.entry));
  }

  mkdir(parent: number, name: string, mode: number): number {
    return this.#entered(() => this.fs.mkdir(this.request, parent, Name.fromKey(name), mode, 0, this.entry));
  }

  symlink(parent: number, name: string, target: string): number {
    const bytes = Buffer.from(target, 'latin1');
    return this.#entered(() => this.fs.symlink(this.request, parent, Name.fromKey(name), bytes, this.entry));
  }

  tmpfile(parent: number, mode: number): number {
    return this.#entered(() => this.fs.tmpfile(this.request, parent, mode, 0, 0, this.entry, new Opened()));
  }

  link(ino: number, parent: number, name: string): number {
    return this.#entered(() => this.fs.link(this.request, ino, parent, Name.fromKey(name), this.entry));
  }

  unlink(parent: number, name: string): number {
    return this.#call(() => this.fs.unlink(this.request, parent, Name.fromKey(name)));
  }

  rmdir(parent: number, name: string): number {
    return this.#call(() => this.fs.rmdir(this.request, parent, Name.fromKey(name)));
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags = 0): number {
    return this.#call(() =>
      this.fs.rename(this.request, parent, Name.fromKey(name), newParent, Name.fromKey(newName), flags),
    );
  }

  getattr(ino: number): Attributes | number {
    const result = this.#call(() => this.fs.getattr(this.request, ino, -1, this.entry));
    return result < 0 ? result : this.attributes;
  }

  setattr(
    ino: number,
    change: { mode?: number; uid?: number; gid?: number; size?: number; mtime?: number; atime?: number },
  ): number {
    const full: AttributeChange = {
      valid:
        (change.mode === undefined ? 0 : FATTR_MODE) |
        (change.uid === undefined ? 0 : FATTR_UID) |
        (change.gid === undefined ? 0 : FATTR_GID) |
        (change.size === undefined ? 0 : FATTR_SIZE) |
        (change.mtime === undefined ? 0 : FATTR_MTIME) |
        (change.atime === undefined ? 0 : FATTR_ATIME),
      handle: -1,
      size: 0,
      mode: 0,
      uid: 0,
      gid: 0,
      atime: 0,
      atimeNsec: 7,
      mtime: 0,
      mtimeNsec: 7,
      ctime: 0,
      ctimeNsec: 0,
      ...change,
    };
    return this.#call(() => this.fs.setattr(this.request, ino, full, this.entry));
  }

  read(ino: number, offset: number, length: number): Buffer | number {
    const request = { ...this.request };
    const result = readAtLast((attempt) => {
      request.attempt = attempt;
      return this.#call(() => this.fs.read(request, ino, -1, offset, stretch(length)));
    });
    return result < 0 ? result : Buffer.from(memory.buffer.subarray(0, result));
  }

  readAll(ino: number): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; ;) {
      const part = this.read(ino, at, 64 * 1024);
      if (typeof part === 'number') throw new Error(`read of inode ${ino} failed with ${part}`);
      if (part.length === 0) return Buffer.concat(parts);
      parts.push(part);
      at += part.length;
    }
  }

  write(ino: number, offset: number, data: Buffer, flags = 0): number {
    data.copy(memory.buffer);
    return this.#call(() => this.fs.write(this.request, ino, -1, offset, stretch(data.length), flags));
  }

  readlink(ino: number): string | number {
    const result = this.#call(() => this.fs.readlink(this.request, ino, stretch(4096)));
    return result < 0 ? result : memory.buffer.toString('latin1', 0, result);
  }

  setxattr(ino: number, name: string, value: Buffer, flags = 0): number {
    return this.#call(() => this.fs.setxattr(this.request, ino, Name.fromKey(name), value, flags, false));
  }

  getxattr(ino: number, name: string): Buffer | number {
    const result = this.#call(() => this.fs.getxattr(this.request, ino, Name.fromKey(name), stretch(65536)));
    return result < 0 ? result : Buffer.from(memory.buffer.subarray(0, result));
  }

  removexattr(ino: number, name: string): number {
    return this.#call(() => this.fs.removexattr(this.request, ino, Name.fromKey(name)));
  }

  listxattr(ino: number): string[] {
    const result = this.#call(() => this.fs.listxattr(this.request, ino, stretch(65536)));
    return result <= 0 ? [] : memory.buffer.toString('latin1', 0, result - 1).split('\0');
  }

  fallocate(ino: number, offset: number, length: number, mode: number): number {
    return this.#call(() => this.fs.fallocate(this.request, ino, -1, offset, length, mode));
  }

  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number {
    return this.#call(() => this.fs.copyFileRange(this.request, from, -1, fromOffset, to, -1, toOffset, length));
  }

  lseek(ino: number, offset: number, whence: number): number {
    return this.#call(() => this.fs.lseek(this.request, ino, -1, offset, whence));
  }

  fsync(ino: number): number {
    return this.#call(() => this.fs.fsync(this.request, ino, -1, false));
  }

  statfs(): StatFs {
    const out = new StatFs();
    this.fs.statfs(this.request, 1, out);
    return out;
  }

  forget(ino: number, count: number): void {
    this.fs.forget(ino, count);
  }

  /** Names but for the dots, in parts of `batch` entries; every READDIRPLUS reference is given back. */
  readdir(ino: number, plus = true, batch = 7, from = 0): Listed[] {
    const listed: Listed[] = [];
    for (let offset = from; ;) {
      const part = this.readdirPart(ino, plus, batch, offset);
      if (part.listed.length === 0) return listed.filter(({ name }) => name !== '.' && name !== '..');
      listed.push(...part.listed);
      offset = part.next;
    }
  }

  readdirPart(ino: number, plus: boolean, batch: number, offset: number): { listed: Listed[]; next: number } {
    const listed: Listed[] = [];
    const references: number[] = [];
    let next = offset;
    const entry = new Entry();
    const reply: DirectoryReply = {
      plus,
      entry,
      add(name, start, end, following) {
        if (listed.length === batch) return false;
        if (following <= next) throw new Error(`offset ${following} does not go on from ${next}`);
        next = following;
        const key = Buffer.from(name.subarray(start, end)).toString('latin1');
        listed.push({ name: key, ino: entry.attributes.ino, mode: entry.attributes.mode });
        if (plus && entry.nodeId !== 0) references.push(entry.nodeId);
        return true;
      },
    };
    const result = this.#call(() => this.fs.readdir(this.request, ino, -1, offset, reply));
    if (result < 0) throw new Error(`readdir of inode ${ino} failed with ${result}`);
    for (const each of references) this.fs.forget(each, 1);
    return { listed, next };
  }
}
