/** Memory that the kernel reads and writes by address. */
import { koffi } from './koffi.ts';

/**
 * The buffers that were given an address. V8 does not move the memory of an ArrayBuffer but frees it with its last reference,
 * and an address in a number is no reference.
 */
const pinned: Buffer[] = [];

/** A buffer of its own (no slice of Node's pool) that stays allocated for the life of the process, and its address. */
export function allocate(size: number): { buffer: Buffer; address: number } {
  const buffer = Buffer.from(new ArrayBuffer(Math.max(size, 128)), 0, size);
  pinned.push(buffer);
  return { buffer, address: addressOf(buffer) };
}

/** Where a buffer lies. The number is good as long as the caller holds the buffer; it must not be empty. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes));
}

/** An ArrayBuffer over memory that V8 does not own (a mapping). */
export function viewMemory(address: number, size: number): ArrayBuffer {
  return koffi.view(BigInt(address), size);
}
