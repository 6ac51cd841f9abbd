/**
 * The Internet checksum (RFC 1071).
 *
 * Sums are kept unfolded as plain numbers: 32-bit words may be added as they are, since 2^16 = 1 modulo 65535, and a double
 * holds the sum of any frame exactly.
 */

/** Adds the bytes of `view` in [start, end) to `sum`; an odd last byte is padded with zero. */
export function addBytes(sum: number, view: DataView, start: number, end: number): number {
  let at = start;
  let total = sum;
  for (; at + 4 <= end; at += 4) total += view.getUint32(at);
  if (at + 2 <= end) {
    total += view.getUint16(at);
    at += 2;
  }
  if (at < end) total += view.getUint8(at) << 8;
  return total;
}

/** Folds a sum to 16 bits, not inverted: what a field with a pending checksum holds. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/** The value for the checksum field. */
export function finish(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** As {@link finish} for UDP, where 0 means "none" (RFC 768). */
export function finishUdp(sum: number): number {
  const checksum = finish(sum);
  return checksum === 0 ? 0xffff : checksum;
}

/** Whether data that contains its checksum sums up. */
export function verifies(sum: number): boolean {
  return fold(sum) === 0xffff;
}
