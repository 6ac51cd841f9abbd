import { describe, expect, test } from 'vitest';
import { CAPABILITY_NAMES, DEFAULT_CAPABILITIES } from '../capabilities.ts';
import { SECCOMP_OPERATORS, type Seccomp, type SeccompArg } from '../runtime-spec.ts';
import { BPF } from './bpf.ts';
import { compileSeccomp } from './compile.ts';
import { DEFAULT_PROFILE } from './default-profile.ts';
import { AUDIT_ARCH, type SeccompArch, syscallNumbers, X32_BIT } from './number-table.ts';
import { selectRules } from './select-rules.ts';

const KILL_PROCESS = 0x80000000;
const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;

interface Call {
  arch: number;
  nr: number;
  args: readonly bigint[];
}

/** Runs a filter as the kernel does (include/uapi/linux/bpf_common.h), and looks at how far it got. */
function run(program: Uint8Array, call: Call): { value: number; steps: number; readsArguments: boolean } {
  const data = new DataView(new ArrayBuffer(64));
  data.setInt32(0, call.nr | 0, true);
  data.setUint32(4, call.arch, true);
  for (const [i, arg] of call.args.entries()) data.setBigUint64(16 + 8 * i, arg, true);
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  let readsArguments = false;
  for (let pc = 0, steps = 1; ; pc++, steps++) {
    const [operation, jt, jf, k] = [
      code.getUint16(8 * pc, true),
      code.getUint8(8 * pc + 2),
      code.getUint8(8 * pc + 3),
      code.getUint32(8 * pc + 4, true),
    ];
    switch (operation) {
      case BPF.LD_W_ABS:
        accumulator = data.getUint32(k, true);
        readsArguments ||= k >= 16;
        break;
      case BPF.ALU_AND_K:
        accumulator = (accumulator & k) >>> 0;
        break;
      case BPF.JMP_JA:
        pc += k;
        break;
      case BPF.JMP_JEQ_K:
        pc += accumulator === k ? jt : jf;
        break;
      case BPF.JMP_JGT_K:
        pc += accumulator > k ? jt : jf;
        break;
      case BPF.JMP_JGE_K:
        pc += accumulator >= k ? jt : jf;
        break;
      case BPF.RET_K:
        return { value: k, steps, readsArguments };
      default:
        throw new Error(`instruction ${operation.toString(16)} at ${pc}`);
    }
  }
}

const comparisons: Record<string, (argument: bigint, value: bigint, two: bigint) => boolean> = {
  SCMP_CMP_NE: (a, v) => a !== v,
  SCMP_CMP_LT: (a, v) => a < v,
  SCMP_CMP_LE: (a, v) => a <= v,
  SCMP_CMP_EQ: (a, v) => a === v,
  SCMP_CMP_GE: (a, v) => a >= v,
  SCMP_CMP_GT: (a, v) => a > v,
  SCMP_CMP_MASKED_EQ: (a, v, two) => (a & v) === two,
};

/** What the rules say of a call, read one after the other. Rules that repeat an argument index are none of its input. */
function evaluate(seccomp: Seccomp, abi: SeccompArch, call: Call): number {
  const values = {
    SCMP_ACT_ALLOW: () => ALLOW,
    SCMP_ACT_ERRNO: (errno: number) => 0x50000 + errno,
    SCMP_ACT_LOG: () => 0x7ffc0000,
    SCMP_ACT_KILL_PROCESS: () => KILL_PROCESS,
  } as Record<string, (errno: number) => number>;
  const numbers = syscallNumbers(abi);
  const otherwise = values[seccomp.defaultAction]!(seccomp.defaultErrnoRet ?? 1);
  const named = (seccomp.syscalls ?? []).map((rule) => ({
    ...rule,
    numbers: rule.names.map((name) => numbers.get(name)),
  }));
  const rules = named.filter((rule) => rule.numbers.includes(call.nr));
  const newest = Math.max(
    ...(named.flatMap((rule) =>
      rule.numbers.filter((nr) => nr !== undefined && (nr & ~X32_BIT) < 0x10000),
    ) as number[]),
  );
  const differing = rules.filter(({ action, errnoRet }) => values[action]!(errnoRet ?? 1) !== otherwise);
  const settled = differing.find(({ args }) => args === undefined || args.length === 0);
  const matching = differing.find(({ args }) =>
    args?.every(({ index, op, value, valueTwo = 0n }) => comparisons[op]!(call.args[index]!, value, valueTwo)),
  );
  const rule = settled ?? matching;
  if (rule !== undefined) return values[rule.action]!(rule.errnoRet ?? 1);
  return call.nr > newest && seccomp.defaultAction !== 'SCMP_ACT_ALLOW' ? ENOSYS : otherwise;
}

/** xorshift32: the same numbers in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const NONE = [0n, 0n, 0n, 0n, 0n, 0n];

const targets = [
  { arch: 'x64', native: 'SCMP_ARCH_X86_64', abis: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32', 'SCMP_ARCH_X86'] },
  { arch: 'arm64', native: 'SCMP_ARCH_AARCH64', abis: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'] },
] as const;

describe.each(targets)('the default profile on $arch', ({ arch, native, abis }) => {
  const seccomp = selectRules(DEFAULT_PROFILE, { arch, capabilities: DEFAULT_CAPABILITIES, kernel: '6.1.0-13-amd64' });
  const { program } = compileSeccomp(seccomp, arch);

  test.each(abis)('decides every number of %s as its rules say', (abi) => {
    const next = random(1);
    const interesting = [
      0n,
      1n,
      8n,
      37n,
      38n,
      39n,
      40n,
      41n,
      0x20000n,
      0x20008n,
      0xffffffffn,
      0x7e020000n,
      0x10000000n,
      17n,
    ];
    const base = abi === 'SCMP_ARCH_X32' ? X32_BIT : 0;
    const numbers = [
      ...Array.from({ length: 1200 }, (_, i) => base + i),
      base + 0xf0001,
      base + 0xf0002,
      base + 0xf0007,
    ];
    for (const nr of numbers) {
      for (const first of interesting) {
        const high = next(4) === 0 ? BigInt(next(0xffff)) << 32n : 0n;
        const call = { arch: AUDIT_ARCH[abi], nr, args: [first | high, ...NONE.slice(1)] };
        const { value } = run(program, call);
        expect({ nr, args: call.args, value }).toEqual({ nr, args: call.args, value: evaluate(seccomp, abi, call) });
      }
    }
  });

  test('settles a call in few instructions, and allowed ones without a look at arguments', () => {
    const steps: number[] = [];
    for (const name of seccomp.syscalls![0]!.names) {
      const nr = syscallNumbers(native).get(name);
      if (nr === undefined) continue;
      const result = run(program, { arch: AUDIT_ARCH[native], nr, args: NONE });
      expect({ name, ...result }).toMatchObject({ value: ALLOW, readsArguments: false });
      steps.push(result.steps);
    }
    // Three before the search, one after it, and the logarithm of some 150 ranges between.
    expect(Math.max(...steps)).toBeLessThanOrEqual(12);
  });

  test('kills a process that calls with the numbers of a foreign architecture', () => {
    expect(run(program, { arch: 0x80000016, nr: 1, args: NONE }).value).toBe(KILL_PROCESS);
    const alone = compileSeccomp({ ...seccomp, architectures: [native] }, arch).program;
    for (const abi of abis.slice(1)) {
      const call = { arch: AUDIT_ARCH[abi], nr: syscallNumbers(abi).get('getpid')!, args: NONE };
      expect(run(program, call).value).toBe(ALLOW);
      expect(run(alone, call).value).toBe(KILL_PROCESS);
    }
  });
});

describe('the default profile', () => {
  function decide(name: string, args: bigint[] = [], capabilities: readonly string[] = DEFAULT_CAPABILITIES): number {
    const seccomp = selectRules(DEFAULT_PROFILE, { arch: 'x64', capabilities, kernel: '6.1' });
    const nr = syscallNumbers('SCMP_ARCH_X86_64').get(name)!;
    const call = { arch: AUDIT_ARCH.SCMP_ARCH_X86_64, nr, args: [...args, ...NONE].slice(0, 6) };
    return run(compileSeccomp(seccomp, 'x64').program, call).value;
  }

  test('withholds what only the privileged need', () => {
    for (const name of ['mount', 'unshare', 'setns', 'bpf', 'keyctl', 'userfaultfd', 'io_uring_setup', 'kexec_load']) {
      expect([name, decide(name)]).toEqual([name, EPERM]);
    }
    expect(decide('clone', [0x11n])).toBe(ALLOW);
    expect(decide('clone', [0x10000011n])).toBe(EPERM);
    expect(decide('clone3')).toBe(ENOSYS);
    expect(decide('socket', [2n])).toBe(ALLOW);
    expect(decide('socket', [38n])).toBe(EPERM);
    expect(decide('socket', [40n])).toBe(EPERM);
    expect(decide('personality', [0x40000n])).toBe(EPERM);
  });

  test('follows capabilities', () => {
    for (const name of ['mount', 'unshare', 'clone3', 'bpf']) expect(decide(name, [], ['CAP_SYS_ADMIN'])).toBe(ALLOW);
    expect(decide('clone', [0x10000011n], ['CAP_SYS_ADMIN'])).toBe(ALLOW);
    expect(decide('chroot', [], [])).toBe(EPERM);
    expect(decide('reboot', [], CAPABILITY_NAMES)).toBe(ALLOW);
  });

  test('follows the kernel', () => {
    const target = { arch: 'x64', capabilities: [] } as const;
    function ptrace(kernel: string): boolean {
      return selectRules(DEFAULT_PROFILE, { ...target, kernel }).syscalls!.some(({ names }) =>
        names.includes('ptrace'),
      );
    }
    expect(ptrace('4.7.10')).toBe(false);
    expect(ptrace('4.8.0-rc1')).toBe(true);
    expect(ptrace('5.0')).toBe(true);
  });
});

describe('random profiles', () => {
  const names = [...syscallNumbers('SCMP_ARCH_X86_64').keys()];
  const words = [0n, 1n, 2n, 0xffn, 0xffffffffn, 0x100000000n, 0x1ffffffffn, 0x8000000000000000n, 0xffffffffffffffffn];

  test.each(Array.from({ length: 40 }, (_, i) => i + 1))('seed %i', (seed) => {
    const next = random(seed * 7919);
    function word(): bigint {
      return BigInt.asUintN(64, words[next(words.length)]! + (next(3) === 0 ? BigInt(next(3)) : 0n));
    }
    const actions = ['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_LOG', 'SCMP_ACT_KILL_PROCESS'] as const;

    function tests(): SeccompArg[] {
      const indices = [0, 1, 2, 3, 4, 5].filter(() => next(4) === 0);
      return indices.map((index) => ({
        index,
        op: SECCOMP_OPERATORS[next(SECCOMP_OPERATORS.length)]!,
        value: word(),
        valueTwo: word(),
      }));
    }

    const focus = Array.from({ length: 12 }, () => names[next(names.length)]!);
    const seccomp: Seccomp = {
      defaultAction: actions[next(2)]!,
      syscalls: Array.from({ length: 60 }, () => ({
        names: [next(2) === 0 ? focus[next(focus.length)]! : names[next(names.length)]!],
        action: actions[next(actions.length)]!,
        errnoRet: 1 + next(100),
        args: next(4) === 0 ? [] : tests(),
      })),
    };
    const { program } = compileSeccomp(seccomp, 'x64');
    for (let i = 0; i < 4000; i++) {
      const name = next(2) === 0 ? focus[next(focus.length)]! : names[next(names.length)]!;
      const nr = next(20) === 0 ? next(1000) : syscallNumbers('SCMP_ARCH_X86_64').get(name)!;
      const call = { arch: AUDIT_ARCH.SCMP_ARCH_X86_64, nr, args: NONE.map(() => word()) };
      expect({ call, value: run(program, call).value }).toEqual({
        call,
        value: evaluate(seccomp, 'SCMP_ARCH_X86_64', call),
      });
    }
  });
});

test('conditions that name an argument twice are alternatives', () => {
  const seccomp: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      {
        names: ['read'],
        action: 'SCMP_ACT_ALLOW',
        args: [
          { index: 0, op: 'SCMP_CMP_EQ', value: 3n },
          { index: 0, op: 'SCMP_CMP_EQ', value: 5n },
        ],
      },
    ],
  };
  const { program } = compileSeccomp(seccomp, 'x64');
  function read(fd: bigint): number {
    return run(program, { arch: 0xc000003e, nr: 0, args: [fd, ...NONE.slice(1)] }).value;
  }
  expect([read(3n), read(4n), read(5n)]).toEqual([ALLOW, EPERM, ALLOW]);
});

test('jumps farther than a conditional one reaches go on over trampolines', () => {
  const names = [...syscallNumbers('SCMP_ARCH_X86_64').keys()].slice(0, 200);
  const seccomp: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: names.map((name, i) => ({
      names: [name],
      action: 'SCMP_ACT_ERRNO' as const,
      errnoRet: 1 + (i % 50),
      args: [
        { index: i % 6, op: 'SCMP_CMP_MASKED_EQ' as const, value: 0xf0000000fn, valueTwo: BigInt(i % 16) },
        { index: (i + 1) % 6, op: 'SCMP_CMP_GT' as const, value: BigInt(i) << 30n },
      ],
    })),
  };
  const { program } = compileSeccomp(seccomp, 'x64');
  expect(program.length / 8).toBeGreaterThan(1000);
  const next = random(3);
  for (const name of names) {
    for (let i = 0; i < 50; i++) {
      const args = NONE.map(() => (BigInt(next(16)) << 32n) | BigInt(next(16)));
      const call = { arch: AUDIT_ARCH.SCMP_ARCH_X86_64, nr: syscallNumbers('SCMP_ARCH_X86_64').get(name)!, args };
      expect(run(program, call).value).toBe(evaluate(seccomp, 'SCMP_ARCH_X86_64', call));
    }
  }
});
