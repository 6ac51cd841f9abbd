import { native, nativeAsync } from './koffi.ts';
import { O, RESOLVE } from './linux-constants.ts';
import { check } from './system-error.ts';

const syscall = native('syscall', 'long', ['long', 'long', 'str', 'void *', 'long']);

const SYS_OPENAT2 = 437;

/** struct open_how of linux/openat2.h: flags, mode, resolve; u64 each. */
export function openHow(flags: number, resolve: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

/**
 * openat2(2) with the folder as the root of everything: absolute links and `..` stay below it. Never waits for a fifo's
 * other end. The fd is close-on-exec; the caller closes it.
 */
export function openBelow(folder: number, path: string, flags: number): number {
  const how = openHow(flags | O.CLOEXEC | O.NONBLOCK, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS);
  return check(syscall(SYS_OPENAT2, folder, path, how, how.length), 'openat2', path);
}

/**
 * The same without waiting here: behind a FUSE mount the answer is another process's to give. Rejects without an errno,
 * which a thread of the pool keeps to itself.
 */
export function openBelowAside(folder: number, path: string, flags: number): Promise<number> {
  const how = openHow(flags | O.CLOEXEC | O.NONBLOCK, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS);
  return new Promise((resolve, reject) => {
    syscallAside()(SYS_OPENAT2, folder, path, how, how.length, (error, fd) => {
      if (error !== null || fd < 0) reject(error ?? new Error(`Cannot open ${path}`));
      else resolve(fd);
    });
  });
}

let bound: ReturnType<typeof nativeAsync> | undefined;

/** Bound at the first call, for few processes need it. */
function syscallAside(): ReturnType<typeof nativeAsync> {
  return (bound ??= nativeAsync('syscall', 'long', ['long', 'long', 'str', 'void *', 'long']));
}
