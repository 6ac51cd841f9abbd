import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { lastErrno } from './koffi.ts';

/** An error of the kernel in Node's shape: `errno` is negative as in Node's own, `code` its name. */
export interface SystemError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
}

/** errno numbers by name, for comparisons: `ERRNO.EAGAIN`. */
export const ERRNO = constants.errno;

/** Name and text of an errno: `['EPERM', 'operation not permitted']`. */
export function describeErrno(errno: number): readonly [code: string, text: string] {
  return getSystemErrorMap().get(-errno) ?? [`E${errno}`, `error ${errno}`];
}

/** Builds the error of a failed call. `errno` is positive, as errno(3) gives it. */
export function systemError(errno: number, syscall: string, path?: string): SystemError {
  const [code, text] = describeErrno(errno);
  const error = new Error(`${code}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`);
  return Object.assign(error, { errno: -errno, code, syscall, ...(path === undefined ? {} : { path }) });
}

/** Passes a native result on, or throws errno's error where it is -1. */
export function check(result: number, syscall: string, path?: string): number {
  if (result === -1) throw systemError(lastErrno(), syscall, path);
  return result;
}
