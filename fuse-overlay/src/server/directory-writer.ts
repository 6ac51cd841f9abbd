/** Packs directory entries into the reply of READDIR (`fuse_dirent`) and READDIRPLUS (`fuse_direntplus`). */
import { recordAlign, structs } from '../protocol/structs.ts';
import { Entry } from './attributes.ts';
import { encodeEntry } from './encode.ts';
import type { DirectoryReply } from './file-system.ts';
import { putWide } from '../protocol/wide.ts';

const dirent = structs.dirent;
const entrySize = structs.entryOut.size;

export class DirectoryWriter implements DirectoryReply {
  readonly entry: Entry = new Entry();
  plus = false;
  readonly #output: Buffer;
  readonly #view: DataView;
  #start = 0;
  #at = 0;
  #limit = 0;

  constructor(output: Buffer, view: DataView) {
    this.#output = output;
    this.#view = view;
  }

  /** Begins a reply of at most `size` bytes at `start` of the output. */
  begin(plus: boolean, start: number, size: number): void {
    this.plus = plus;
    this.#start = start;
    this.#at = start;
    this.#limit = start + size;
  }

  /** Bytes written. */
  get length(): number {
    return this.#at - this.#start;
  }

  add(name: Uint8Array, start: number, end: number, next: number): boolean {
    const nameLength = end - start;
    const direntAt = this.#at + (this.plus ? entrySize : 0);
    const nameAt = direntAt + dirent.size;
    const recordEnd = this.#at + align(nameAt + nameLength - this.#at);
    if (recordEnd > this.#limit) return false;

    const view = this.#view;
    const { attributes } = this.entry;
    if (this.plus) encodeEntry(view, this.#at, this.entry);
    putWide(view, direntAt + dirent.at.ino, attributes.ino || this.entry.nodeId);
    putWide(view, direntAt + dirent.at.off, next);
    view.setUint32(direntAt + dirent.at.namelen, nameLength, true);
    // DT_* are the type bits of st_mode, shifted (dirent.h, IFTODT).
    view.setUint32(direntAt + dirent.at.type, (attributes.mode & 0o170000) >>> 12, true);
    const output = this.#output;
    for (let at = 0; at < nameLength; at++) output[nameAt + at] = name[start + at]!;
    for (let at = nameAt + nameLength; at < recordEnd; at++) output[at] = 0;
    this.#at = recordEnd;
    return true;
  }
}

function align(size: number): number {
  return (size + recordAlign - 1) & ~(recordAlign - 1);
}
