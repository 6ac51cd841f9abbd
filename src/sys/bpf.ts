import { closeSync } from 'node:fs';
import { koffi, native } from './koffi.ts';
import { check } from './system-error.ts';

const syscall = native('syscall', 'long', ['long', 'long', 'void *', 'long']);

/** asm/unistd.h */
const SYS_BPF = process.arch === 'arm64' ? 280 : 321;
/** linux/bpf.h */
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** Offsets in union bpf_attr: for BPF_PROG_LOAD, then for BPF_PROG_ATTACH. */
const LOAD = { size: 128, type: 0, count: 4, instructions: 8, license: 16 } as const;
const ATTACH = { size: 32, target: 0, program: 4, type: 8, flags: 12 } as const;

/** Has every access to a device from the cgroup (an open folder) decided by a program as well: bpf(2). Root only. */
export function attachDeviceProgram(cgroup: number, instructions: Buffer): void {
  const license = Buffer.from('GPL\0');
  const load = Buffer.alloc(LOAD.size);
  load.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, LOAD.type);
  load.writeUInt32LE(instructions.length / 8, LOAD.count);
  load.writeBigUInt64LE(koffi.address(instructions), LOAD.instructions);
  load.writeBigUInt64LE(koffi.address(license), LOAD.license);
  const program = check(syscall(SYS_BPF, BPF_PROG_LOAD, load, load.length), 'bpf');
  try {
    const attach = Buffer.alloc(ATTACH.size);
    attach.writeUInt32LE(cgroup, ATTACH.target);
    attach.writeUInt32LE(program, ATTACH.program);
    attach.writeUInt32LE(BPF_CGROUP_DEVICE, ATTACH.type);
    attach.writeUInt32LE(BPF_F_ALLOW_MULTI, ATTACH.flags);
    check(syscall(SYS_BPF, BPF_PROG_ATTACH, attach, attach.length), 'bpf');
  } finally {
    closeSync(program);
  }
}
