/** Error numbers, and errors in the shape of Node's: code, errno, syscall, path. */
import { constants } from 'node:os';

export const errno = constants.errno;

/** Codes by number. EWOULDBLOCK and ENOTSUP share theirs with EAGAIN and EOPNOTSUPP, which come first in the headers. */
const codes = new Map<number, string>();
for (const [code, number] of Object.entries(errno)) if (!codes.has(number)) codes.set(number, code);

/** ENODATA is missing from Node's typing on some platforms; the number is the same on all of Linux. */
export const ENODATA = 61;

export function errorCode(number: number): string {
  return codes.get(Math.abs(number)) ?? `errno ${Math.abs(number)}`;
}

export interface SystemError extends Error {
  readonly code: string;
  /** Negative, as Node has it. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
}

/** `action` names what was to be done and to what: "Cannot ACTION: CODE (syscall)". `result` is a failed call's result. */
export function systemError(syscall: string, result: number, action: string, path?: string): SystemError {
  const code = errorCode(result);
  return Object.assign(new Error(`Cannot ${action}: ${syscall} failed with ${code}`), {
    code,
    errno: -Math.abs(result),
    syscall,
    ...(path !== undefined && { path }),
  });
}

/** `result` itself unless it is a failure, which is thrown. */
export function checked(result: number, syscall: string, action: string, path?: string): number {
  if (result < 0) throw systemError(syscall, result, action, path);
  return result;
}
