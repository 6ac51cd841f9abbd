/**
 * Root for who has a single id. Where one uid and one gid are mapped, the kernel refuses to give a file or a process to
 * another, and package managers give up. So these calls are answered as done, and nothing is done: whatever would not
 * change anything (id 0, "leave it") goes to the kernel, whose errors then are real ones; what only a mapped id could have
 * done is the filter's `errno 0`. Device nodes, which no user namespace may make, are answered alike.
 *
 * What a program asks for and what it sees then differ: stat(2) says root, getuid(2) says 0. The filter cannot remember.
 */
import type { Seccomp, SeccompArg, SeccompSyscall } from '../runtime-spec.ts';

/** Call -> its arguments that are ids. */
const ID_ARGUMENTS: Readonly<Record<string, readonly number[]>> = {
  chown: [1, 2],
  chown32: [1, 2],
  lchown: [1, 2],
  lchown32: [1, 2],
  fchown: [1, 2],
  fchown32: [1, 2],
  fchownat: [2, 3],
  setuid: [0],
  setuid32: [0],
  setgid: [0],
  setgid32: [0],
  setreuid: [0, 1],
  setreuid32: [0, 1],
  setregid: [0, 1],
  setregid32: [0, 1],
  setresuid: [0, 1, 2],
  setresuid32: [0, 1, 2],
  setresgid: [0, 1, 2],
  setresgid32: [0, 1, 2],
};

/** Call -> its argument that is a mode. */
const MODE_ARGUMENTS: Readonly<Record<string, number>> = { mknod: 1, mknodat: 2 };

/** Denied for good where a single id is mapped (user_namespaces(7)). */
const GROUPS = ['setgroups', 'setgroups32'];

const ID_MASK = 0xffffffffn;
const NO_CHANGE = 0xffffffffn;
const S_IFMT = 0o170000n;
const DEVICES = [0o020000n, 0o060000n];

/** The filter with these calls answered; undefined is a container without one, which gets one for nothing else. */
export function emulateIds(seccomp: Seccomp | undefined): Seccomp {
  const emulated = new Set([...Object.keys(ID_ARGUMENTS), ...Object.keys(MODE_ARGUMENTS), ...GROUPS]);
  const { syscalls = [], ...rest } = seccomp ?? { defaultAction: 'SCMP_ACT_ALLOW' };
  const others = syscalls.map((rule) => ({ ...rule, names: rule.names.filter((name) => !emulated.has(name)) }));
  return { ...rest, syscalls: [...rules(), ...others] };
}

function rules(): SeccompSyscall[] {
  return [
    { names: GROUPS, ...done() },
    ...Object.entries(ID_ARGUMENTS).flatMap(([name, ids]) => [
      ...combinations(ids).map((args) => ({ names: [name], action: 'SCMP_ACT_ALLOW' as const, args })),
      { names: [name], ...done(ALWAYS) },
    ]),
    ...Object.entries(MODE_ARGUMENTS).flatMap(([name, index]) => [
      ...DEVICES.map((type) => ({ names: [name], ...done([masked(index, S_IFMT, type)]) })),
      { names: [name], action: 'SCMP_ACT_ALLOW' as const, args: ALWAYS },
    ]),
  ];
}

function done(args: SeccompArg[] = []): Pick<SeccompSyscall, 'action' | 'errnoRet' | 'args'> {
  return { action: 'SCMP_ACT_ERRNO', errnoRet: 0, ...(args.length === 0 ? {} : { args }) };
}

/** Every way for ids to be 0 or "leave it". Ids are 32 bits; what the register holds above is nobody's. */
function combinations(indices: readonly number[]): SeccompArg[][] {
  return indices.reduce<SeccompArg[][]>(
    (all, index) => all.flatMap((args) => [0n, NO_CHANGE].map((id) => [...args, masked(index, ID_MASK, id)])),
    [[]],
  );
}

/** Holds of whatever comes: conditions are tried in their order. */
const ALWAYS: SeccompArg[] = [masked(0, 0n, 0n)];

function masked(index: number, mask: bigint, value: bigint): SeccompArg {
  return { index, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: value };
}
