/** UDP (RFC 768). */
export const UDP = { size: 8, sourcePort: 0, destinationPort: 2, length: 4, checksum: 6 } as const;

/** Most payload that fits the 16-bit length of an IPv4 packet. */
export const UDP_MAX_PAYLOAD = 65_507;
