/**
 * The journal of an upper layer: one file that is only ever appended to.
 *
 *     header   "trunupr1"
 *     frame    length u32, crc32 of the payload u32, payload: changes as `ChangeEncoder` writes them
 *     frame    …
 *
 * A frame is a transaction: its changes happen together or not at all. A crash can tear only the end of the file (appends of
 * one process reach the page cache in order; after a crash of the machine the checksum finds what did not reach the disk), so
 * whatever follows the last good frame is cut off when the journal is opened.
 *
 * A snapshot is a journal too, one that says the present state with the fewest changes. It is written beside the journal,
 * synced, and renamed over it: there is always exactly one whole journal.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { checked } from '../../sys/errors.ts';
import { pwrite } from '../../sys/io.ts';
import { addressOf } from '../../sys/memory.ts';
import { ChangeEncoder, decodeChanges, type Change } from './change.ts';

const magic = Buffer.from('trunupr1');
const frameHeader = 8;
/** Snapshots are cut into frames of about this size. */
const snapshotFrame = 256 * 1024;

export class Journal {
  readonly #path: string;
  readonly #encoder = new ChangeEncoder();
  /** Changes that may be lost without harm; they go out with the next frame. */
  #deferred: Change[] = [];
  #fd: number;
  #length: number;
  #synced: number;
  #broken = false;

  private constructor(path: string, fd: number, length: number) {
    this.#path = path;
    this.#fd = fd;
    this.#length = length;
    this.#synced = 0;
  }

  /** Bytes in the file. */
  get length(): number {
    return this.#length;
  }

  /** Opens the journal at `path` and hands each change in it to `apply`; makes a new one of `initial()` where there is none. */
  static open(path: string, apply: (change: Change) => void, initial: () => Iterable<Change>): Journal {
    const content = readJournal(path);
    if (!content) {
      const { fd, length } = writeSnapshot(path, initial());
      for (const change of initial()) apply(change);
      return new Journal(path, fd, length);
    }
    const length = replay(content, apply);
    const fd = openSync(path, 'r+');
    if (length < content.length) ftruncateSync(fd, length);
    return new Journal(path, fd, length);
  }

  /** Hands each change to `apply` and touches nothing: for a look at a layer that another process may be at work on. */
  static read(path: string, apply: (change: Change) => void): void {
    const content = readJournal(path);
    if (content) replay(content, apply);
  }

  /** Puts the changes into the journal as one transaction. Throws, and leaves the journal as it was, where it can't. */
  append(changes: readonly Change[]): void {
    if (this.#broken)
      throw Object.assign(new Error('Cannot write journal: an earlier write could not be undone (EIO)'), {
        code: 'EIO',
        errno: -5,
      });
    const encoder = this.#encoder;
    encoder.reset(frameHeader);
    for (const change of this.#deferred) encoder.add(change);
    for (const change of changes) encoder.add(change);
    const frame = encoder.bytes;
    seal(frame);
    try {
      writeAll(this.#fd, encoder.address, frame.length, this.#length);
    } catch (error) {
      this.#cut();
      throw error;
    }
    this.#length += frame.length;
    if (this.#deferred.length > 0) this.#deferred = [];
  }

  /** For a change that a crash may undo: it costs no write of its own. */
  defer(change: Change): void {
    this.#deferred.push(change);
    if (this.#deferred.length < 512) return;
    try {
      this.append([]);
    } catch {
      // No room: they wait on, and if nothing helps recovery does without them.
    }
  }

  get needsSync(): boolean {
    return this.#synced !== this.#length;
  }

  /** Everything appended so far is on disk when this returns. */
  sync(): void {
    if (!this.needsSync) return;
    fdatasyncSync(this.#fd);
    this.#synced = this.#length;
  }

  /** Puts a journal of just these changes in place of this one. Throws, and the old one stays, where it can't. */
  replace(changes: Iterable<Change>): void {
    const { fd, length } = writeSnapshot(this.#path, changes);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#length = length;
    this.#synced = length;
    this.#deferred = [];
    this.#broken = false;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #cut(): void {
    try {
      ftruncateSync(this.#fd, this.#length);
    } catch {
      // Appending behind half a frame would lose what follows it.
      this.#broken = true;
    }
  }
}

/** Undefined where there is none. */
function readJournal(path: string): Buffer | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (content.subarray(0, magic.length).equals(magic)) return content;
  const message = `Cannot open upper layer: ${path} is not a journal of this version (EINVAL)`;
  throw Object.assign(new Error(message), { code: 'EINVAL', path });
}

/** Applies every whole frame; returns where the last one ends. */
function replay(content: Buffer, apply: (change: Change) => void): number {
  let at = magic.length;
  while (at + frameHeader <= content.length) {
    const length = content.readUInt32LE(at);
    const end = at + frameHeader + length;
    if (length === 0 || end > content.length) break;
    const payload = content.subarray(at + frameHeader, end);
    if (crc32(payload) !== content.readUInt32LE(at + 4)) break;
    decodeChanges(payload, apply);
    at = end;
  }
  return at;
}

function seal(frame: Buffer): void {
  frame.writeUInt32LE(frame.length - frameHeader, 0);
  frame.writeUInt32LE(crc32(frame.subarray(frameHeader)), 4);
}

function writeSnapshot(path: string, changes: Iterable<Change>): { fd: number; length: number } {
  const draft = `${path}.new`;
  const fd = openSync(draft, 'w+', 0o600);
  try {
    let length = 0;
    function put(bytes: Buffer): void {
      writeAll(fd, addressOf(bytes), bytes.length, length);
      length += bytes.length;
    }
    put(magic);
    const encoder = new ChangeEncoder();
    encoder.reset(frameHeader);
    for (const change of changes) {
      encoder.add(change);
      if (encoder.length < snapshotFrame) continue;
      seal(encoder.bytes);
      put(encoder.bytes);
      encoder.reset(frameHeader);
    }
    if (encoder.length > frameHeader) {
      seal(encoder.bytes);
      put(encoder.bytes);
    }
    fsyncSync(fd);
    renameSync(draft, path);
    syncDirectory(dirname(path));
    return { fd, length };
  } catch (error) {
    closeSync(fd);
    rmSync(draft, { force: true });
    throw error;
  }
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Not by Node's writeSync, which takes several times as long as the write itself. */
function writeAll(fd: number, address: number, length: number, position: number): void {
  for (let done = 0; done < length;) {
    done += checked(pwrite(fd, address + done, length - done, position + done), 'pwrite', 'write the journal');
  }
}
