import { native } from './koffi.ts';
import { O, RESOLVE } from './linux-constants.ts';
import { check } from './system-error.ts';

const syscall = native('syscall', 'long', ['long', 'long', 'str', 'void *', 'long']);

const SYS_OPENAT2 = 437;

/**
 * openat2(2) with the folder as the root of everything: absolute links and `..` stay below it. Never waits for a fifo's
 * other end. The fd is close-on-exec; the caller closes it.
 */
export function openBelow(folder: number, path: string, flags: number): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O.CLOEXEC | O.NONBLOCK), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS), 16);
  return check(syscall(SYS_OPENAT2, folder, path, how, how.length), 'openat2', path);
}
