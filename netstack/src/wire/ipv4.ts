/** The IPv4 header (RFC 791). */
import { addBytes, finish, verifies } from './checksum.ts';
import type { IpAddress } from './address.ts';

export const IPV4 = {
  /** Without options. */
  size: 20,
  versionAndLength: 0,
  tos: 1,
  totalLength: 2,
  identification: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;

export const IPV4_FRAGMENT = { DONT: 0x4000, MORE: 0x2000, OFFSET: 0x1fff } as const;

/** IANA protocol numbers that this stack speaks; for IPv6 they are next-header values. */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

/** RFC 1700's recommended default. */
export const DEFAULT_TTL = 64;

/**
 * Length of the header at `at`, or 0 when [at, end) is no intact IPv4 packet. Options are skipped unread, as a host may
 * (RFC 1122, 3.2.1.8); source routes are for the caller to refuse by {@link hasSourceRoute}.
 */
export function ipv4HeaderLength(view: DataView, at: number, end: number): number {
  if (end - at < IPV4.size) return 0;
  const first = view.getUint8(at);
  const length = (first & 0xf) * 4;
  if (first >> 4 !== 4 || length < IPV4.size) return 0;
  const total = view.getUint16(at + IPV4.totalLength);
  if (total < length || at + total > end) return 0;
  return verifies(addBytes(0, view, at, at + length)) ? length : 0;
}

/** Whether the header carries a loose or strict source route, which a gateway should not follow (RFC 7126, 4.3 and 4.4). */
export function hasSourceRoute(view: DataView, at: number, headerLength: number): boolean {
  const LOOSE = 131;
  const STRICT = 137;
  let option = at + IPV4.size;
  const end = at + headerLength;
  while (option < end) {
    const type = view.getUint8(option);
    if (type === 0) return false;
    if (type === LOOSE || type === STRICT) return true;
    const length = type === 1 ? 1 : option + 1 < end ? view.getUint8(option + 1) : 0;
    if (length === 0) return false;
    option += length;
  }
  return false;
}

/** The unfolded sum of everything in the pseudo-header but the length (RFC 9293, 3.1). */
export function pseudoHeaderSum(source: IpAddress, destination: IpAddress, protocol: number): number {
  let sum = protocol;
  for (const word of source.words) sum += word;
  for (const word of destination.words) sum += word;
  return sum;
}

export interface Ipv4Fields {
  readonly totalLength: number;
  readonly identification: number;
  /** Flags and offset. */
  readonly fragment: number;
  readonly protocol: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

export function writeIpv4(bytes: Uint8Array, view: DataView, at: number, fields: Ipv4Fields): void {
  view.setUint16(at, 0x4500);
  view.setUint16(at + IPV4.totalLength, fields.totalLength);
  view.setUint16(at + IPV4.identification, fields.identification);
  view.setUint16(at + IPV4.fragment, fields.fragment);
  view.setUint8(at + IPV4.ttl, DEFAULT_TTL);
  view.setUint8(at + IPV4.protocol, fields.protocol);
  view.setUint16(at + IPV4.checksum, 0);
  bytes.set(fields.source.bytes, at + IPV4.source);
  bytes.set(fields.destination.bytes, at + IPV4.destination);
  view.setUint16(at + IPV4.checksum, finish(addBytes(0, view, at, at + IPV4.size)));
}
