/** The IPv6 header and the extension headers that a host has to walk (RFC 8200). */
import { PROTOCOL } from './ipv4.ts';
import type { IpAddress } from './address.ts';

export const IPV6 = {
  size: 40,
  versionAndFlow: 0,
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
} as const;

/** The fragment header (RFC 8200, 4.5). */
export const IPV6_FRAGMENT = {
  size: 8,
  nextHeader: 0,
  offsetAndMore: 2,
  identification: 4,
  MORE: 1,
  OFFSET: 0xfff8,
} as const;

const EXTENSION = { HOP_BY_HOP: 0, ROUTING: 43, FRAGMENT: 44, DESTINATION: 60 } as const;
export const IPV6_NEXT_FRAGMENT = EXTENSION.FRAGMENT;

/** Whether [at, end) starts with an intact IPv6 header whose payload is all there. */
export function isIpv6(view: DataView, at: number, end: number): boolean {
  if (end - at < IPV6.size || view.getUint8(at) >> 4 !== 6) return false;
  return at + IPV6.size + view.getUint16(at + IPV6.payloadLength) <= end;
}

/** Where the transport header (or a fragment header) starts, and its protocol. */
export interface Ipv6Upper {
  readonly at: number;
  readonly protocol: number;
  /** Where the protocol is named: the last "next header" field. */
  readonly namedAt: number;
}

/**
 * Skips hop-by-hop and destination options. Undefined: the chain is broken, or carries a routing header, which is not to be
 * followed (RFC 5095).
 */
export function findIpv6Upper(view: DataView, at: number, end: number): Ipv6Upper | undefined {
  let namedAt = at + IPV6.nextHeader;
  let protocol = view.getUint8(namedAt);
  let next = at + IPV6.size;
  while (protocol === EXTENSION.HOP_BY_HOP || protocol === EXTENSION.DESTINATION) {
    if (next + 8 > end) return undefined;
    namedAt = next;
    protocol = view.getUint8(next);
    next += 8 * (view.getUint8(next + 1) + 1);
  }
  return next > end || protocol === EXTENSION.ROUTING ? undefined : { at: next, protocol, namedAt };
}

export interface Ipv6Fields {
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

export function writeIpv6(bytes: Uint8Array, view: DataView, at: number, fields: Ipv6Fields): void {
  view.setUint32(at, 0x60000000);
  view.setUint16(at + IPV6.payloadLength, fields.payloadLength);
  view.setUint8(at + IPV6.nextHeader, fields.nextHeader);
  view.setUint8(at + IPV6.hopLimit, fields.hopLimit);
  bytes.set(fields.source.bytes, at + IPV6.source);
  bytes.set(fields.destination.bytes, at + IPV6.destination);
}

/** ICMP's number in the given version. */
export function icmpProtocol(version: 4 | 6): number {
  return version === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6;
}
