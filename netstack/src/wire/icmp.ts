/** ICMP (RFC 792) and ICMPv6 (RFC 4443): types and codes. */
export const ICMP = {
  size: 8,
  type: 0,
  code: 1,
  checksum: 2,
  identifier: 4,
  sequence: 6,
  nextHopMtu: 6,
  body: 8,
} as const;

export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;
export const ICMP_UNREACHABLE = {
  NETWORK: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  PROHIBITED: 13,
} as const;

/** Codes of "time exceeded", the same in both. */
export const TIME_EXCEEDED = { TRANSIT: 0, REASSEMBLY: 1 } as const;

export const ICMPV6_TYPE = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOUR_SOLICITATION: 135,
  NEIGHBOUR_ADVERTISEMENT: 136,
} as const;
export const ICMPV6_UNREACHABLE = { NO_ROUTE: 0, PROHIBITED: 1, ADDRESS: 3, PORT: 4 } as const;
/** Packet too big: the MTU takes the whole second word (RFC 4443, 3.2). */
export const ICMPV6_MTU = 4;
