/**
 * A file name as bytes inside a larger buffer: no object is made for it on the hot path.
 * The bytes after a name that comes from a request are followed by a NUL byte, and the name was checked by the server:
 * 1 to 255 bytes, no `/`, no NUL, neither `.` nor `..`.
 *
 * A name handed to a file system is valid during that call only; keep `key()` or `toBuffer()`.
 */
export class Name {
  bytes: Uint8Array;
  start: number;
  end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** From a key made by `key()`. */
  static fromKey(key: string): Name {
    return new Name(Buffer.from(key, 'latin1'));
  }

  get length(): number {
    return this.end - this.start;
  }

  /** One character for each byte (latin1): exact for names of any bytes, good as a key of a Map. */
  key(): string {
    const { bytes, start, end } = this;
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  }

  /** A copy of the bytes. */
  toBuffer(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end));
  }

  /** For people: UTF-8, with replacement characters where it is none. */
  toString(): string {
    return this.toBuffer().toString('utf8');
  }
}
