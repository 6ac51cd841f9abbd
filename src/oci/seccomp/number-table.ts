import { ARM } from './syscalls/arm.ts';
import { ARM64 } from './syscalls/arm64.ts';
import { I386 } from './syscalls/i386.ts';
import { X32_ABSENT, X32_OWN, X86_64 } from './syscalls/x86-64.ts';

/** Instruction-set ABIs that a filter can tell apart, by the OCI runtime spec's names. */
export type SeccompArch =
  'SCMP_ARCH_X86_64' | 'SCMP_ARCH_X86' | 'SCMP_ARCH_X32' | 'SCMP_ARCH_AARCH64' | 'SCMP_ARCH_ARM';

export type SyscallNumbers = ReadonlyMap<string, number>;

/** linux/audit.h: what `seccomp_data.arch` holds. x32 shares x86-64's value and is told apart by bit 30 of the number. */
export const AUDIT_ARCH: Readonly<Record<SeccompArch, number>> = {
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_X32: 0xc000003e,
  SCMP_ARCH_AARCH64: 0xc00000b7,
  SCMP_ARCH_ARM: 0x40000028,
};

/** asm/unistd.h: __X32_SYSCALL_BIT. */
export const X32_BIT = 0x40000000;

/** Real tables end far below this; above lie ABI bits and ARM's private calls (__ARM_NR_BASE). */
export const PRIVATE_NUMBERS = 0x10000;

const cache = new Map<SeccompArch, SyscallNumbers>();

/** Names and numbers of the system calls of `arch`; x32 numbers carry their bit 30. */
export function syscallNumbers(arch: SeccompArch): SyscallNumbers {
  let table = cache.get(arch);
  if (table === undefined) cache.set(arch, (table = readTable(arch)));
  return table;
}

function readTable(arch: SeccompArch): SyscallNumbers {
  switch (arch) {
    case 'SCMP_ARCH_X86_64':
      return parseRows(X86_64);
    case 'SCMP_ARCH_X86':
      return parseRows(I386);
    case 'SCMP_ARCH_AARCH64':
      return parseRows(ARM64);
    case 'SCMP_ARCH_ARM':
      return parseRows(ARM);
    case 'SCMP_ARCH_X32':
      return x32Table();
  }
}

function x32Table(): SyscallNumbers {
  const absent = parseRows(X32_ABSENT);
  const table = new Map<string, number>();
  for (const [name, number] of parseRows(X86_64)) if (!absent.has(name)) table.set(name, X32_BIT + number);
  for (const [name, number] of parseRows(X32_OWN)) table.set(name, X32_BIT + number);
  return table;
}

/** Each row is a number and the names of the calls numbered from there on. */
function parseRows(rows: string): Map<string, number> {
  const table = new Map<string, number>();
  for (const row of rows.trim().split('\n')) {
    const [first, ...names] = row.split(' ');
    for (const [i, name] of names.entries()) table.set(name, Number(first) + i);
  }
  return table;
}
