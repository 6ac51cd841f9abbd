/** Why a frame or packet went no further. Each is a key of {@link Drops}; a healthy link counts none but `notOurs`. */
export const DROP = [
  'notOurs',
  'unknownEtherType',
  'malformed',
  'badChecksum',
  'spoofedSource',
  'sourceRoute',
  'fragmentLimit',
  'noRoute',
  'unsupportedProtocol',
  'neighbourLimit',
  'neighbourUnreachable',
  'icmpRateLimit',
  'tcpLimit',
  'tcpMemory',
  'udpLimit',
  'hostSocket',
] as const;

export type DropReason = (typeof DROP)[number];

/** Drops by reason. */
export type Drops = Record<DropReason, number>;

export function noDrops(): Drops {
  return Object.fromEntries(DROP.map((reason) => [reason, 0])) as Drops;
}
