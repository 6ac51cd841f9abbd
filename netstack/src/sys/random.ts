/** Randomness from the kernel (getrandom(2)): node:crypto would cost a process like ours a megabyte of memory. */
import { addressOf, check, libc } from './libc.ts';

/** Fills `bytes` with unpredictable values. */
export function fillRandom(bytes: Uint8Array): void {
  // Up to 256 bytes come whole (getrandom(2)); more is never asked for.
  check(libc.getrandom(addressOf(bytes), bytes.length, 0), 'getrandom', 'Cannot get random bytes');
}

/** An unpredictable integer in [0, limit); `limit` divides 2^32, or the bias does not matter. */
export function randomBelow(limit: number): number {
  const bytes = new Uint8Array(4);
  fillRandom(bytes);
  return new DataView(bytes.buffer).getUint32(0) % limit;
}
