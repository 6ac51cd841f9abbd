import { alignmentOf, completeTypes, memberTypes, type Value } from './signature.ts';

/** Reads values off `bytes`, whose start is 8-byte aligned; whatever does not fit throws. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #little: boolean;
  #at = 0;

  constructor(bytes: Buffer, littleEndian: boolean) {
    this.#bytes = bytes;
    this.#little = littleEndian;
  }

  get position(): number {
    return this.#at;
  }

  /** A value for each complete type of `signature`. */
  read(signature: string): Value[] {
    return completeTypes(signature).map((type) => this.#value(type));
  }

  align(alignment: number): void {
    this.#take((alignment - (this.#at % alignment)) % alignment);
  }

  #value(type: string): Value {
    this.align(alignmentOf(type));
    switch (type[0]) {
      case 'y':
        return this.#unsigned(1);
      case 'b':
        return this.#unsigned(4) !== 0;
      case 'n':
        return this.#signed(2);
      case 'q':
        return this.#unsigned(2);
      case 'i':
        return this.#signed(4);
      case 'u':
        return this.#unsigned(4);
      case 'x': {
        const at = this.#take(8);
        return this.#little ? this.#bytes.readBigInt64LE(at) : this.#bytes.readBigInt64BE(at);
      }
      case 't': {
        const at = this.#take(8);
        return this.#little ? this.#bytes.readBigUInt64LE(at) : this.#bytes.readBigUInt64BE(at);
      }
      case 'd': {
        const at = this.#take(8);
        return this.#little ? this.#bytes.readDoubleLE(at) : this.#bytes.readDoubleBE(at);
      }
      case 's':
      case 'o':
        return this.#text(4);
      case 'g':
        return this.#text(1);
      case 'v': {
        const signature = this.#text(1);
        const [inner, ...more] = completeTypes(signature);
        if (inner === undefined || more.length > 0) throw new Error(`invalid D-Bus variant of '${signature}'`);
        return { signature, value: this.#value(inner) };
      }
      case 'a':
        return this.#array(type.slice(1));
      default:
        return memberTypes(type).map((member) => this.#value(member));
    }
  }

  #array(type: string): Value[] {
    const length = this.#unsigned(4);
    this.align(alignmentOf(type));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('truncated D-Bus message');
    const values: Value[] = [];
    while (this.#at < end) values.push(this.#value(type));
    return values;
  }

  #text(lengthBytes: number): string {
    const length = this.#unsigned(lengthBytes);
    const at = this.#take(length + 1);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #unsigned(size: number): number {
    const at = this.#take(size);
    return this.#little ? this.#bytes.readUIntLE(at, size) : this.#bytes.readUIntBE(at, size);
  }

  #signed(size: number): number {
    const at = this.#take(size);
    return this.#little ? this.#bytes.readIntLE(at, size) : this.#bytes.readIntBE(at, size);
  }

  /** Where the next `count` bytes begin. */
  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new Error('truncated D-Bus message');
    this.#at += count;
    return at;
  }
}
