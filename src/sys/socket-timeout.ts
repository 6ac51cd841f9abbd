import { native } from './koffi.ts';
import { check } from './system-error.ts';

const setsockopt = native('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

/** Reads from the socket fail with EAGAIN after that many milliseconds: socket(7). */
export function setReceiveTimeout(socket: number, milliseconds: number): void {
  const patience = Buffer.alloc(16);
  patience.writeBigInt64LE(BigInt(Math.floor(milliseconds / 1000)), 0);
  patience.writeBigInt64LE(BigInt((milliseconds % 1000) * 1000), 8);
  check(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length), 'setsockopt');
}
