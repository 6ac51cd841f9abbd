/** IP and MAC addresses: text (RFC 5952 for IPv6), bytes, and comparison. */

export type IpVersion = 4 | 6;

/** An immutable IP address. */
export class IpAddress {
  readonly version: IpVersion;
  /** Network byte order, 4 or 16 bytes. Not to be written to. */
  readonly bytes: Uint8Array;
  /** The same as 32-bit words, for comparison with packets in place. */
  readonly words: readonly number[];
  #text: string | undefined;

  constructor(bytes: Uint8Array) {
    this.version = bytes.length === 4 ? 4 : 6;
    this.bytes = bytes;
    this.words = bytes.length === 4 ? [wordAt(bytes, 0)] : [0, 4, 8, 12].map((at) => wordAt(bytes, at));
  }

  /** Reads `text`; undefined when it is no address. Zone suffixes (`%eth0`) are not taken. */
  static parse(text: string): IpAddress | undefined {
    const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
    return bytes && new IpAddress(bytes);
  }

  /** As {@link parse}, for addresses that a caller of the API gave: throws ERR_INVALID_ARG_VALUE. */
  static from(text: string): IpAddress {
    const address = IpAddress.parse(text);
    if (address) return address;
    throw Object.assign(new TypeError(`Not an IP address: ${text}`), { code: 'ERR_INVALID_ARG_VALUE' });
  }

  /** Copies the address of the given version at `at` out of a packet. */
  static read(bytes: Uint8Array, at: number, version: IpVersion): IpAddress {
    return new IpAddress(bytes.slice(at, at + (version === 4 ? 4 : 16)));
  }

  equals(other: IpAddress): boolean {
    if (this.version !== other.version) return false;
    for (let index = 0; index < this.words.length; index++) if (this.words[index] !== other.words[index]) return false;
    return true;
  }

  /** Whether the address at `at` in a packet (of the same version) is this one. */
  isAt(view: DataView, at: number): boolean {
    const { words } = this;
    if (view.getUint32(at) !== words[0]) return false;
    if (words.length === 1) return true;
    return (
      view.getUint32(at + 4) === words[1] && view.getUint32(at + 8) === words[2] && view.getUint32(at + 12) === words[3]
    );
  }

  toString(): string {
    this.#text ??= this.version === 4 ? this.bytes.join('.') : formatIpv6(this.bytes);
    return this.#text;
  }

  get isLoopback(): boolean {
    return this.version === 4 ? this.bytes[0] === 127 : this.toString() === '::1';
  }

  get isUnspecified(): boolean {
    return this.words.every((word) => word === 0);
  }

  /** Multicast, and for IPv4 also the limited broadcast and the reserved class E (RFC 1112, 4). */
  get isMulticast(): boolean {
    return this.version === 4 ? this.bytes[0]! >= 224 : this.bytes[0] === 0xff;
  }

  /** 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291, 2.5.6). */
  get isLinkLocal(): boolean {
    const [first, second] = this.bytes;
    return this.version === 4 ? first === 169 && second === 254 : first === 0xfe && (second! & 0xc0) === 0x80;
  }

  /** ::ffff:a.b.c.d as a.b.c.d (RFC 4291, 2.5.5.2); any other address as it is. */
  get unmapped(): IpAddress {
    const [a, b, c] = this.words;
    return this.version === 6 && a === 0 && b === 0 && c === 0xffff ? new IpAddress(this.bytes.slice(12)) : this;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** A block of addresses: 10.88.0.0/16. */
export class Subnet {
  readonly address: IpAddress;
  readonly prefix: number;
  /** For IPv4: the all-ones address, the all-zeros address, and the mask as an address; for IPv6 of no meaning. */
  readonly broadcast: IpAddress;
  readonly network: IpAddress;
  readonly mask: IpAddress;

  constructor(address: IpAddress, prefix: number) {
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > address.bytes.length * 8) {
      throw Object.assign(new RangeError(`Not a prefix length of ${address.toString()}: ${prefix}`), {
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
    this.address = address;
    this.prefix = prefix;
    const word = address.words[0]!;
    this.broadcast = wordAddress((word | ~this.#mask(0)) >>> 0);
    this.network = wordAddress((word & this.#mask(0)) >>> 0);
    this.mask = wordAddress(this.#mask(0) >>> 0);
  }

  contains(address: IpAddress): boolean {
    if (address.version !== this.address.version) return false;
    const own = this.address.words;
    for (let index = 0; index < own.length; index++)
      if (((own[index]! ^ address.words[index]!) & this.#mask(index)) !== 0) return false;
    return true;
  }

  #mask(word: number): number {
    const bits = Math.min(32, Math.max(0, this.prefix - 32 * word));
    return bits === 0 ? 0 : -1 << (32 - bits);
  }
}

/** The IPv4 address with this numeric value. */
export function wordAddress(word: number): IpAddress {
  return new IpAddress(Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word));
}

export const MAC_LENGTH = 6;
export const BROADCAST_MAC: Uint8Array = new Uint8Array(MAC_LENGTH).fill(0xff);

/** Reads `02:00:00:00:00:01`; undefined when it is no MAC address. */
export function parseMac(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)
    ? Uint8Array.from(text.split(':'), (part) => parseInt(part, 16))
    : undefined;
}

export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + MAC_LENGTH), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A MAC address as one number (48 bits), for tables. */
export function macNumber(view: DataView, at: number): number {
  return view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  // A dotted quad may stand for the last two groups.
  const dotted = text.lastIndexOf(':') + 1;
  let source = text;
  if (text.includes('.')) {
    const last = parseIpv4(text.slice(dotted));
    if (!last) return undefined;
    const [a, b, c, d] = last;
    source = `${text.slice(0, dotted)}${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head!, ...Array<string>(tail ? missing : 0).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]));
}

function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16),
  );
  if (groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff')
    return `::ffff:${bytes.slice(12).join('.')}`;
  // RFC 5952, 4.2: the longest run of at least two zero groups is shortened, the first of equals.
  let [best, bestLength] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (groups[end] === '0') end++;
    if (end - start > bestLength) [best, bestLength] = [start, end - start];
  }
  if (best < 0) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + bestLength).join(':')}`;
}
