/** The binary form of a plan, as monitor.c reads it. plan-layout.test.ts compares the two. All little endian. */

/** struct header: magic, op_count, reloc_count, size; u32 each. The operations follow, then the relocations, then data. */
export const HEADER = { size: 16, magic: 0, operations: 4, relocations: 8, total: 12 } as const;
export const MAGIC = 0x6e757274;

/** struct op. */
export const OPERATION = {
  size: 72,
  number: 0,
  flags: 2,
  kinds: 4,
  jump: 8,
  args: 16,
  result: 64,
  maxArgs: 6,
} as const;

/** struct record, as it comes from the status socket. */
export const RECORD = { size: 16, kind: 0, operation: 4, value: 8 } as const;
export const RECORD_KIND = { error: 1, note: 2, exit: 3 } as const;

/** struct supervision. */
export const SUPERVISION = {
  size: 88,
  listenFd: 0,
  stdinFd: 8,
  fdCount: 16,
  fds: 24,
  exitPath: 40,
  exitTemporary: 48,
  lockPath: 56,
  agent: 64,
  agentArgv: 72,
  agentEnvp: 80,
  maxFds: 4,
} as const;

/** Bytes of the file that the wait(2) status is written to, in decimal, filled up with blanks. */
export const EXIT_LENGTH = 16;

export const FLAG = { ignore: 1, child: 2, nonzero: 4, else: 8 } as const;

/** How the monitor finds an argument's value. */
export const KIND = { value: 0, address: 1, result: 2, load32: 3 } as const;

/** What no single system call does. */
export const PSEUDO = {
  note: 0xf000,
  proc_path: 0xf001,
  exec: 0xf002,
  jump: 0xf003,
  supervise: 0xf004,
  reap: 0xf005,
  init: 0xf006,
  remove_tree: 0xf007,
  fail: 0xf008,
  status: 0xf009,
} as const;

export type PseudoName = keyof typeof PSEUDO;

/** Fds that every plan starts with. */
export const PLAN_FD = 3;
export const STATUS_FD = 4;
/** The first of the fds that a plan is given besides. */
export const INHERITED_FD = 5;
