/** Ethernet II (IEEE 802.3, RFC 894). */
export const ETHERNET = { size: 14, destination: 0, source: 6, type: 12 } as const;

export const ETHER_TYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;

/** Writes the header at `at`. */
export function writeEthernet(
  bytes: Uint8Array,
  at: number,
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
): void {
  bytes.set(destination, at + ETHERNET.destination);
  bytes.set(source, at + ETHERNET.source);
  bytes[at + ETHERNET.type] = type >> 8;
  bytes[at + ETHERNET.type + 1] = type & 0xff;
}
