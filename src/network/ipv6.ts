/** IPv6 addresses and subnets as 128-bit numbers. */
import { isIPv6 } from 'node:net';

/** A block of addresses: its first address, and how many leading bits are fixed. */
export interface Subnet6 {
  readonly base: bigint;
  readonly prefixLength: number;
}

const bits = 128;

/** The number of an address as text; undefined for anything else, and for one with a zone (`fe80::1%eth0`). */
export function parseAddress6(text: string): bigint | undefined {
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const dotted = /:(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain =
    dotted === null
      ? text
      : `${text.slice(0, dotted.index + 1)}${pair(dotted[1]!, dotted[2]!)}:${pair(dotted[3]!, dotted[4]!)}`;
  const [left = '', right] = plain.split('::');
  const before = groups(left);
  const after = groups(right ?? '');
  const gap = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...gap, ...after].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function pair(high: string, low: string): string {
  return (Number(high) * 256 + Number(low)).toString(16);
}

/** The text of RFC 5952: lower case, no leading zeros, the first of the longest runs of zero groups as `::`. */
export function formatAddress6(address: bigint): string {
  const hex = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(16 * (7 - i))) & 0xffffn).toString(16));
  let longest = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && hex[start + length] === '0') length++;
    if (length > longest.length) longest = { start, length };
  }
  if (longest.length === 1) return hex.join(':');
  return `${hex.slice(0, longest.start).join(':')}::${hex.slice(longest.start + longest.length).join(':')}`;
}

/** Sixteen bytes in network order. */
export function address6Bytes(address: bigint): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number((address >> BigInt(8 * (15 - i))) & 0xffn));
}

/** The subnet of `fd00::/64`; host bits are cleared. Undefined for anything else. */
export function parseSubnet6(text: string): Subnet6 | undefined {
  const [, address = '', length = ''] = /^([\da-fA-F:.]+)\/(\d{1,3})$/.exec(text) ?? [];
  const number = parseAddress6(address);
  const prefixLength = Number(length);
  if (number === undefined || length === '' || prefixLength > bits) return undefined;
  return { base: number - (number % size(prefixLength)), prefixLength };
}

export function formatSubnet6({ base, prefixLength }: Subnet6): string {
  return `${formatAddress6(base)}/${prefixLength}`;
}

export function contains6(subnet: Subnet6, address: bigint): boolean {
  return address >= subnet.base && address < subnet.base + size(subnet.prefixLength);
}

/** Whether any address lies in both. */
export function overlaps6(a: Subnet6, b: Subnet6): boolean {
  return contains6(a, b.base) || contains6(b, a.base);
}

function size(prefixLength: number): bigint {
  return 1n << BigInt(bits - prefixLength);
}
