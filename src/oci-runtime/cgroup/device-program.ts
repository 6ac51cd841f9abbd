/**
 * The device rules as a program for cgroups of version 2, which have no device files: linux/bpf.h,
 * BPF_PROG_TYPE_CGROUP_DEVICE. It is told `struct bpf_cgroup_dev_ctx` (access << 16 | type, major, minor) and returns
 * whether the access is allowed.
 */
import type { FullRule } from './device-rules.ts';

/** linux/bpf.h, linux/bpf_common.h. */
const OP = {
  LOAD_WORD: 0x61,
  MOVE_REGISTER: 0xbf,
  MOVE: 0xb7,
  AND: 0x57,
  SHIFT_RIGHT: 0x77,
  JUMP_UNEQUAL: 0x55,
  JUMP_UNEQUAL_REGISTER: 0x5d,
  EXIT: 0x95,
} as const;
const TYPES = { b: 1, c: 2 } as const;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

const [RESULT, CONTEXT, TYPE, ACCESSED, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5] as const;

interface Instruction {
  readonly op: number;
  readonly to?: number;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
}

/** `struct bpf_insn` array: opcode u8, registers u8 (source << 4 | destination), offset s16, value s32. */
export function deviceProgram(rules: readonly FullRule[]): Buffer {
  // The last rule that matches counts, so it is asked first; behind one for everything the verifier wants nothing more.
  const all = rules.findLastIndex(({ type }) => type === 'a');
  const otherwise = all >= 0 && rules[all]!.allow;
  const instructions: Instruction[] = [
    { op: OP.LOAD_WORD, to: TYPE, from: CONTEXT, offset: 0 },
    { op: OP.AND, to: TYPE, value: 0xffff },
    { op: OP.LOAD_WORD, to: ACCESSED, from: CONTEXT, offset: 0 },
    { op: OP.SHIFT_RIGHT, to: ACCESSED, value: 16 },
    { op: OP.LOAD_WORD, to: MAJOR, from: CONTEXT, offset: 4 },
    { op: OP.LOAD_WORD, to: MINOR, from: CONTEXT, offset: 8 },
    ...rules
      .slice(all + 1)
      .toReversed()
      .flatMap(ruleInstructions),
    { op: OP.MOVE, to: RESULT, value: otherwise ? 1 : 0 },
    { op: OP.EXIT },
  ];
  const program = Buffer.alloc(8 * instructions.length);
  for (const [i, { op, to = 0, from = 0, offset = 0, value = 0 }] of instructions.entries()) {
    program.writeUInt8(op, 8 * i);
    program.writeUInt8((from << 4) | to, 8 * i + 1);
    program.writeInt16LE(offset, 8 * i + 2);
    program.writeInt32LE(value, 8 * i + 4);
  }
  return program;
}

function ruleInstructions({ allow, type, major, minor, access }: FullRule): Instruction[] {
  const bits = Object.entries(ACCESS).reduce((sum, [letter, bit]) => sum | (access.includes(letter) ? bit : 0), 0);
  const tests: Instruction[] = [{ op: OP.JUMP_UNEQUAL, to: TYPE, value: type === 'b' ? TYPES.b : TYPES.c }];
  if (bits !== ALL_ACCESS) {
    tests.push({ op: OP.MOVE_REGISTER, to: CONTEXT, from: ACCESSED });
    tests.push({ op: OP.AND, to: CONTEXT, value: bits });
    tests.push({ op: OP.JUMP_UNEQUAL_REGISTER, to: CONTEXT, from: ACCESSED });
  }
  if (major !== undefined) tests.push({ op: OP.JUMP_UNEQUAL, to: MAJOR, value: major });
  if (minor !== undefined) tests.push({ op: OP.JUMP_UNEQUAL, to: MINOR, value: minor });
  const end = tests.length + 2;
  const jumps: readonly number[] = [OP.JUMP_UNEQUAL, OP.JUMP_UNEQUAL_REGISTER];
  return [
    ...tests.map((test, i) => (jumps.includes(test.op) ? { ...test, offset: end - i - 1 } : test)),
    { op: OP.MOVE, to: RESULT, value: allow ? 1 : 0 },
    { op: OP.EXIT },
  ];
}
