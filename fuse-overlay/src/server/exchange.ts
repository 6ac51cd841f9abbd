/**
 * One request and its reply: views over the two message buffers, reused for every request of every session of a process
 * (requests are served one after the other). Handlers read the body with `u32(at)`… (offsets from the start of the body),
 * take the names that follow it, and write the reply's payload with `put32(at, value)`… The server adds the header.
 *
 * Nothing in a request is trusted: the session checks the lengths in the header and of the fixed part, `takeName` the rest.
 */
import { structs } from '../protocol/structs.ts';
import { errno } from '../sys/errors.ts';
import { allocate } from '../sys/memory.ts';
import { Entry } from './attributes.ts';
import { DirectoryWriter } from './directory-writer.ts';
import { Opened, StatFs, type FileLock, type ReadRoom, type Request } from './file-system.ts';
import { Name } from './name.ts';
import { getSignedWide, getWide, putWide } from '../protocol/wide.ts';

/** Largest payload either way: FUSE_MAX_MAX_PAGES of 4 KiB. */
export const maxPayload = 1 << 20;

const inHeader = structs.inHeader;
const outHeader = structs.outHeader;
/** A WRITE: header, fixed part, data; the kernel wants room for at least FUSE_MIN_READ_BUFFER besides. */
export const inputSize: number = maxPayload + 8192;
const outputSize = maxPayload + 4096;

const slash = 0x2f;
const dot = 0x2e;
const nameLimit = 255;

/** A stretch of one of the message buffers. */
class Range implements ReadRoom {
  readonly buffer: Buffer;
  readonly #base: number;
  start = 0;
  length = 0;

  constructor(buffer: Buffer, address: number) {
    this.buffer = buffer;
    this.#base = address;
  }

  /** The file that `fromFile` named, -1 for none. */
  fileFd = -1;
  fileOffset = 0;

  get address(): number {
    return this.#base + this.start;
  }

  fromFile(fd: number, offset: number, length: number): number {
    this.fileFd = fd;
    this.fileOffset = offset;
    return length;
  }

  view(): Buffer {
    return this.buffer.subarray(this.start, this.start + this.length);
  }
}

export class Exchange implements Request {
  opcode = 0;
  id = 0;
  resent = false;
  attempt = 0;
  nodeId = 0;
  uid = 0;
  gid = 0;
  pid = 0;
  /** SETXATTR_EXT is in force: SETXATTR has its long form. */
  extendedSetxattr = false;

  readonly inputAddress: number;
  readonly outputAddress: number;
  readonly #input: Buffer;
  readonly #in: DataView;
  readonly #output: Buffer;
  readonly #out: DataView;
  #cursor = 0;
  #end = 0;

  readonly name: Name;
  readonly secondName: Name;
  readonly entry: Entry = new Entry();
  readonly opened: Opened = new Opened();
  readonly statfs: StatFs = new StatFs();
  readonly lock: FileLock = { start: 0n, end: 0n, type: 0, pid: 0 };
  readonly directory: DirectoryWriter;
  /** Data within the request. */
  readonly data: Range;
  /** Room for the payload of the reply. */
  readonly room: Range;

  constructor() {
    const input = allocate(inputSize);
    const output = allocate(outputSize);
    this.#input = input.buffer;
    this.#output = output.buffer;
    this.inputAddress = input.address;
    this.outputAddress = output.address;
    this.#in = new DataView(input.buffer.buffer, input.buffer.byteOffset, inputSize);
    this.#out = new DataView(output.buffer.buffer, output.buffer.byteOffset, outputSize);
    this.name = new Name(this.#input, 0, 0);
    this.secondName = new Name(this.#input, 0, 0);
    this.data = new Range(input.buffer, input.address);
    this.room = new Range(output.buffer, output.address);
    this.directory = new DirectoryWriter(this.#output, this.#out);
  }

  /** Takes in a message of `length` bytes; false when it is no request: its header is cut short or states another length. */
  begin(length: number): boolean {
    if (length < inHeader.size || this.#in.getUint32(inHeader.at.len, true) !== length) return false;
    this.opcode = this.#in.getUint32(inHeader.at.opcode, true);
    const uniqueHigh = this.#in.getUint32(inHeader.at.unique + 4, true);
    this.id = this.#in.getUint32(inHeader.at.unique, true) + (uniqueHigh & 0x1fffff) * 2 ** 32;
    // FUSE_UNIQUE_RESEND is bit 63.
    this.resent = uniqueHigh >>> 31 === 1;
    this.nodeId = getWide(this.#in, inHeader.at.nodeid);
    this.uid = this.#in.getUint32(inHeader.at.uid, true);
    this.gid = this.#in.getUint32(inHeader.at.gid, true);
    this.pid = this.#in.getUint32(inHeader.at.pid, true);
    // Extensions lie at the end, their length is in units of 8 bytes (7.38); we ask for none.
    this.#end = length - this.#in.getUint16(inHeader.at.extlen, true) * 8;
    this.#cursor = inHeader.size;
    this.name.start = this.name.end = 0;
    this.secondName.start = this.secondName.end = 0;
    return this.#end >= this.#cursor;
  }

  /** Bytes of the body, header excluded. */
  get bodyLength(): number {
    return this.#end - inHeader.size;
  }

  /** Where names and data begin: after the fixed part. */
  skip(fixed: number): void {
    this.#cursor = inHeader.size + fixed;
  }

  u16(at: number): number {
    return this.#in.getUint16(inHeader.size + at, true);
  }

  u32(at: number): number {
    return this.#in.getUint32(inHeader.size + at, true);
  }

  /** Exact up to 2^53: offsets, sizes, nodes, handles. */
  u64(at: number): number {
    return getWide(this.#in, inHeader.size + at);
  }

  i64(at: number): number {
    return getSignedWide(this.#in, inHeader.size + at);
  }

  big(at: number): bigint {
    return this.#in.getBigUint64(inHeader.size + at, true);
  }

  /** Takes the file name at the cursor: 0, or `-errno` when it is none. */
  takeName(name: Name): number {
    const result = this.takeString(name, nameLimit);
    if (result < 0) return result;
    const { start, end } = name;
    const input = this.#input;
    for (let at = start; at < end; at++) if (input[at] === slash) return -errno.EINVAL;
    if (input[start] === dot && (end === start + 1 || (end === start + 2 && input[start + 1] === dot))) {
      return -errno.EINVAL;
    }
    return 0;
  }

  /** Takes the NUL-terminated bytes at the cursor, 1 to `limit` of them. */
  takeString(name: Name, limit: number): number {
    const input = this.#input;
    const start = this.#cursor;
    let end = start;
    while (end < this.#end && input[end] !== 0) end++;
    if (end >= this.#end || end === start) return -errno.EINVAL;
    if (end - start > limit) return -errno.ENAMETOOLONG;
    name.bytes = input;
    name.start = start;
    name.end = end;
    this.#cursor = end + 1;
    return 0;
  }

  /** Takes `length` bytes at the cursor into `data`; false when the message has fewer. */
  takeData(length: number): boolean {
    if (this.#cursor + length > this.#end) return false;
    this.data.start = this.#cursor;
    this.data.length = length;
    this.#cursor += length;
    return true;
  }

  /** Opens `room` for a payload of at most `length` bytes, after `before` bytes of fixed reply. */
  openRoom(length: number, before = 0): ReadRoom {
    this.room.fileFd = -1;
    this.room.start = outHeader.size + before;
    this.room.length = Math.min(length, maxPayload);
    return this.room;
  }

  put16(at: number, value: number): void {
    this.#out.setUint16(outHeader.size + at, value, true);
  }

  put32(at: number, value: number): void {
    this.#out.setUint32(outHeader.size + at, value, true);
  }

  put64(at: number, value: number): void {
    putWide(this.#out, outHeader.size + at, value);
  }

  putBig(at: number, value: bigint): void {
    this.#out.setBigUint64(outHeader.size + at, BigInt.asUintN(64, value), true);
  }

  /** Zeroes the first `length` bytes of the payload. */
  clear(length: number): void {
    this.#output.fill(0, outHeader.size, outHeader.size + length);
  }

  /** Copies bytes to the payload. */
  putBytes(at: number, bytes: Uint8Array): void {
    this.#output.set(bytes, outHeader.size + at);
  }

  /** The output view and the offset of the payload in it, for the encoders of larger structs. */
  get payload(): DataView {
    return this.#out;
  }

  /** Writes the header of the reply to the request at hand; `result` is a payload's length or `-errno`. Returns the length. */
  finish(result: number): number {
    const out = this.#out;
    const length = outHeader.size + (result > 0 ? result : 0);
    out.setUint32(outHeader.at.len, length, true);
    out.setInt32(outHeader.at.error, result < 0 ? result : 0, true);
    // The id goes back bit by bit: its highest bit marks a request that was sent again (FUSE_UNIQUE_RESEND).
    out.setUint32(outHeader.at.unique, this.#in.getUint32(inHeader.at.unique, true), true);
    out.setUint32(outHeader.at.unique + 4, this.#in.getUint32(inHeader.at.unique + 4, true), true);
    return length;
  }

  /** Writes the header of a notification with `payload` bytes after it. Returns the length. */
  finishNotification(code: number, payload: number): number {
    const out = this.#out;
    out.setUint32(outHeader.at.len, outHeader.size + payload, true);
    out.setInt32(outHeader.at.error, code, true);
    out.setBigUint64(outHeader.at.unique, 0n, true);
    return outHeader.size + payload;
  }

  /** Copy of the message of the request at hand. */
  copyRequest(length: number): Buffer {
    return Buffer.from(this.#input.subarray(0, length));
  }

  /** Puts a message in as if the kernel had just sent it. Returns its length. */
  load(message: Uint8Array): number {
    this.#input.set(message, 0);
    return message.length;
  }
}
