/**
 * Functions of the C library, with the conventions that every file of this folder shares:
 *
 * - Results are numbers; a failed call gives `-errno`. Nothing here throws because the kernel said no.
 * - Memory is passed by address, as a number. Whoever passes one keeps the buffer it belongs to reachable (memory.ts).
 */
import { koffi } from './koffi.ts';

const libc = koffi.load(null);

/** `int`, `long` (ssize_t), `size`, `offset` (off_t), `u32`, and `pointer` for every address. */
const types = {
  int: 'int',
  long: 'long',
  size: 'size_t',
  offset: 'int64_t',
  u32: 'uint32_t',
  pointer: 'uintptr_t',
} as const;

type CType = keyof typeof types;

export type NativeFunction = (...args: (number | bigint)[]) => number;

const EIO = 5;

/** Binds `name`, whose -1 stands for a failure with errno set. */
export function bind(name: string, result: CType, parameters: readonly CType[]): NativeFunction {
  return libc.func(
    name,
    types[result],
    parameters.map((parameter) => types[parameter]),
  );
}

/** As `bind`, for calls that wait: each runs on a thread of Node's pool. Its errno is lost: a failure is -1. */
export function bindAsync(
  name: string,
  result: CType,
  parameters: readonly CType[],
): (...args: (number | bigint)[]) => Promise<number> {
  const native = libc.func(
    name,
    types[result],
    parameters.map((parameter) => types[parameter]),
  );
  return (...args) =>
    new Promise((resolve, reject) => {
      native.async(...args, (error: Error | null, value: number) => {
        if (error) reject(error);
        else resolve(value);
      });
    });
}

/** Turns the result of a C library call into ours. To be called at once after it, before anything else can set errno. */
export function check(result: number): number {
  return result >= 0 ? result : -(koffi.errno() || EIO);
}

/** The `syscall(2)` function, for calls that the C library has no wrapper for. */
export const syscall: NativeFunction = bind('syscall', 'long', [
  'long',
  'pointer',
  'pointer',
  'pointer',
  'pointer',
  'pointer',
  'pointer',
]);
