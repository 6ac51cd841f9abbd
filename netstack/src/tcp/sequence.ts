/** Sequence numbers: unsigned 32-bit, compared modulo 2^32 (RFC 9293, 3.4). */

/** `one - other` as a signed distance: right as long as both are within 2^31 of each other. */
export function distance(one: number, other: number): number {
  return (one - other) | 0;
}

export function advance(sequence: number, by: number): number {
  return (sequence + by) >>> 0;
}

export function before(one: number, other: number): boolean {
  return ((one - other) | 0) < 0;
}

export function later(one: number, other: number): number {
  return ((one - other) | 0) < 0 ? other : one;
}

export function earlier(one: number, other: number): number {
  return ((one - other) | 0) < 0 ? one : other;
}
