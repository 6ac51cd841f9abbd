import { InvalidInput } from '../invalid-input.ts';
import type { Seccomp, SeccompAction, SeccompArg } from '../runtime-spec.ts';
import { PRIVATE_NUMBERS, syscallNumbers, type SeccompArch, X32_BIT } from './number-table.ts';

/** linux/seccomp.h: SECCOMP_RET_*; the low 16 bits carry an errno or a tracer's message. */
export const SECCOMP_RET = {
  KILL_PROCESS: 0x80000000,
  KILL_THREAD: 0x00000000,
  TRAP: 0x00030000,
  ERRNO: 0x00050000,
  TRACE: 0x7ff00000,
  LOG: 0x7ffc0000,
  ALLOW: 0x7fff0000,
} as const;

const EPERM = 1;
export const RET_ENOSYS = SECCOMP_RET.ERRNO | 38;

/** One way for a call to be decided: all `tests` hold, then `value` is returned. */
export interface Condition {
  tests: readonly SeccompArg[];
  value: number;
}

/** How the calls of one architecture are decided. */
export interface Policy {
  /** By number: a value to return, or conditions of which the first that holds counts (`otherwise` if none does). */
  calls: ReadonlyMap<number, number | readonly Condition[]>;
  /** For the numbers up to `newest`. */
  otherwise: number;
  /** The highest number that the rules speak of. */
  newest: number;
  /** For the numbers after `newest`. */
  unknown: number;
}

/**
 * The rules of `seccomp` for `arch`, by number. Names without a number there are skipped, as are rules that say what
 * holds anyway. As with libseccomp, a rule without conditions prevails over those with conditions, and among several
 * the first.
 */
export function policyFor(seccomp: Seccomp, arch: SeccompArch): Policy {
  const numbers = syscallNumbers(arch);
  const otherwise = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const calls = new Map<number, number | Condition[]>();
  const base = arch === 'SCMP_ARCH_X32' ? X32_BIT : 0;
  let newest = base - 1;
  for (const { names, action, errnoRet, args = [] } of seccomp.syscalls ?? []) {
    const value = returnValue(action, errnoRet);
    for (const name of names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      if (number - base < PRIVATE_NUMBERS) newest = Math.max(newest, number);
      const settled = calls.get(number);
      if (value === otherwise || typeof settled === 'number') continue;
      if (args.length === 0) calls.set(number, value);
      else calls.set(number, [...(settled ?? []), ...conditions(args, value)]);
    }
  }
  return { calls, otherwise, newest, unknown: unknownCall(seccomp.defaultAction, otherwise) };
}

/**
 * A call that is newer than every one the profile's author knew of: ENOSYS, so that C libraries fall back to the older
 * call; with EPERM programs would fail on new kernels. Profiles that let unnamed calls pass go on doing so.
 */
function unknownCall(action: SeccompAction, otherwise: number): number {
  const passes = action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG' || action === 'SCMP_ACT_TRACE';
  return passes ? otherwise : RET_ENOSYS;
}

/** All conditions must hold, unless they name an argument twice: then any is enough, as runc has always read it. */
function conditions(args: readonly SeccompArg[], value: number): Condition[] {
  const indices = new Set(args.map(({ index }) => index));
  return indices.size === args.length ? [{ tests: args, value }] : args.map((test) => ({ tests: [test], value }));
}

function returnValue(action: SeccompAction, data = EPERM): number {
  switch (action) {
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return SECCOMP_RET.KILL_THREAD;
    case 'SCMP_ACT_KILL_PROCESS':
      return SECCOMP_RET.KILL_PROCESS;
    case 'SCMP_ACT_TRAP':
      return SECCOMP_RET.TRAP;
    case 'SCMP_ACT_ERRNO':
      return SECCOMP_RET.ERRNO | data;
    case 'SCMP_ACT_TRACE':
      return SECCOMP_RET.TRACE | data;
    case 'SCMP_ACT_ALLOW':
      return SECCOMP_RET.ALLOW;
    case 'SCMP_ACT_LOG':
      return SECCOMP_RET.LOG;
    case 'SCMP_ACT_NOTIFY':
      throw new InvalidInput('seccomp: SCMP_ACT_NOTIFY is not supported: nobody would answer the notifications');
  }
}
