/** IPv4 addresses and subnets as numbers. */

/** A block of addresses: its first address as an unsigned 32-bit number, and how many leading bits are fixed. */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** The number of a dotted quad, or undefined for anything else. Leading zeros are refused: some read them as octal. */
export function parseAddress(text: string): number | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((address, byte) => address * 256 + byte, 0);
}

/** Dotted quad. */
export function formatAddress(address: number): string {
  return addressBytes(address).join('.');
}

/** Four bytes in network order. */
export function addressBytes(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
}

/** The subnet of `10.88.0.0/16`; host bits are cleared. Undefined for anything else. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^([\d.]+)\/(\d|[12]\d|3[0-2])$/.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  return address === undefined ? undefined : subnetOf(address, Number(match?.[2]));
}

/** The block of that size which holds the address. */
export function subnetOf(address: number, prefixLength: number): Subnet {
  return { base: address - (address % size(prefixLength)), prefixLength };
}

/** As `10.88.0.0/16`. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefixLength}`;
}

/** Whether the subnet holds the address. */
export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastAddress(subnet);
}

/** Whether any address lies in both. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/** The highest address, which is the broadcast address. */
export function lastAddress(subnet: Subnet): number {
  return subnet.base + size(subnet.prefixLength) - 1;
}

function size(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}

/** Six bytes of `02:42:0a:58:00:02`, or undefined. Multicast addresses and zero are no address of an interface. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) return undefined;
  const bytes = Uint8Array.from(text.split(':'), (part) => parseInt(part, 16));
  return (bytes[0]! & 1) === 1 || bytes.every((byte) => byte === 0) ? undefined : bytes;
}

/** As `02:42:0a:58:00:02`. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * The hardware address of whoever has that address, as Docker makes it: 02:42 and the four bytes. It follows from the
 * address, so neighbours' ARP caches stay right when a container comes back.
 */
export function macOfAddress(address: number): Uint8Array {
  return Uint8Array.of(0x02, 0x42, ...addressBytes(address));
}
