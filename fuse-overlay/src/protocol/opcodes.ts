/**
 * The requests of the protocol: number, the fixed part of the body (`request`), whether there is a reply.
 * server/operations/table.ts has one handler for each of these names, which the compiler checks.
 */
import type { Struct } from './layout.ts';
import { structs } from './structs.ts';

interface Opcode {
  readonly number: number;
  readonly request?: Struct<never> | { readonly size: number };
  /** Bytes that a request may leave off the end of `request` (an older minor version's form). */
  readonly optional?: number;
  readonly noReply?: true;
}

export const opcodes = {
  LOOKUP: { number: 1 },
  FORGET: { number: 2, request: structs.forgetIn, noReply: true },
  GETATTR: { number: 3, request: structs.getattrIn },
  SETATTR: { number: 4, request: structs.setattrIn },
  READLINK: { number: 5 },
  SYMLINK: { number: 6 },
  MKNOD: { number: 8, request: structs.mknodIn },
  MKDIR: { number: 9, request: structs.mkdirIn },
  UNLINK: { number: 10 },
  RMDIR: { number: 11 },
  RENAME: { number: 12, request: structs.renameIn },
  LINK: { number: 13, request: structs.linkIn },
  OPEN: { number: 14, request: structs.openIn },
  READ: { number: 15, request: structs.readIn },
  WRITE: { number: 16, request: structs.writeIn },
  STATFS: { number: 17 },
  RELEASE: { number: 18, request: structs.releaseIn },
  FSYNC: { number: 20, request: structs.fsyncIn },
  SETXATTR: { number: 21, request: structs.setxattrIn, optional: 8 },
  GETXATTR: { number: 22, request: structs.getxattrIn },
  LISTXATTR: { number: 23, request: structs.getxattrIn },
  REMOVEXATTR: { number: 24 },
  FLUSH: { number: 25, request: structs.flushIn },
  INIT: { number: 26, request: structs.initIn, optional: 48 },
  OPENDIR: { number: 27, request: structs.openIn },
  READDIR: { number: 28, request: structs.readIn },
  RELEASEDIR: { number: 29, request: structs.releaseIn },
  FSYNCDIR: { number: 30, request: structs.fsyncIn },
  GETLK: { number: 31, request: structs.lkIn },
  SETLK: { number: 32, request: structs.lkIn },
  SETLKW: { number: 33, request: structs.lkIn },
  ACCESS: { number: 34, request: structs.accessIn },
  CREATE: { number: 35, request: structs.createIn },
  INTERRUPT: { number: 36, request: structs.interruptIn },
  BMAP: { number: 37 },
  DESTROY: { number: 38 },
  IOCTL: { number: 39, request: structs.ioctlIn },
  POLL: { number: 40, request: structs.pollIn },
  NOTIFY_REPLY: { number: 41, noReply: true },
  BATCH_FORGET: { number: 42, request: structs.batchForgetIn, noReply: true },
  FALLOCATE: { number: 43, request: structs.fallocateIn },
  READDIRPLUS: { number: 44, request: structs.readIn },
  RENAME2: { number: 45, request: structs.rename2In },
  LSEEK: { number: 46, request: structs.lseekIn },
  COPY_FILE_RANGE: { number: 47, request: structs.copyFileRangeIn },
  SETUPMAPPING: { number: 48 },
  REMOVEMAPPING: { number: 49 },
  SYNCFS: { number: 50, request: structs.syncfsIn },
  TMPFILE: { number: 51, request: structs.createIn },
  STATX: { number: 52 },
} as const satisfies Record<string, Opcode>;

export type OpcodeName = keyof typeof opcodes;

/** One more than the highest number. */
export const opcodeLimit = 53;

const names: (OpcodeName | undefined)[] = new Array<OpcodeName | undefined>(opcodeLimit).fill(undefined);
for (const [name, { number }] of Object.entries(opcodes)) names[number] = name as OpcodeName;

/** Undefined for numbers that the protocol did not have when this was written. */
export function opcodeName(number: number): OpcodeName | undefined {
  return names[number];
}
