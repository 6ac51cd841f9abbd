/**
 * Compiles a seccomp section to a filter for seccomp(SECCOMP_SET_MODE_FILTER).
 *
 * The filter loads the architecture and picks that one's binary search over call numbers, whose leaves are actions or
 * conditions on arguments. A call of an architecture that the profile does not name kills the process, since its
 * numbers would mean other calls. To calls that are always allowed nothing is done but loads of `arch` and `nr`,
 * comparisons and the return: those the kernel (5.11 and later, kernel/seccomp.c: seccomp_is_const_allow) evaluates
 * once when the filter is loaded, and never again.
 */
import type { Seccomp, SeccompArg, SeccompFlag } from '../runtime-spec.ts';
import { BPF, type Node, ProgramBuilder, SECCOMP_DATA } from './bpf.ts';
import { AUDIT_ARCH, type SeccompArch, X32_BIT } from './number-table.ts';
import { type Condition, type Policy, policyFor, RET_ENOSYS, SECCOMP_RET } from './policy.ts';
import { type Decision, search, searchArgument, type Segment, type WideSegment } from './search.ts';
import type { SeccompTarget } from './select-rules.ts';

export interface CompiledFilter {
  /** Array of `struct sock_filter`, 8 bytes each. */
  program: Uint8Array;
  /** For the `flags` argument of seccomp(2). */
  flags: number;
}

/** linux/seccomp.h: SECCOMP_FILTER_FLAG_*. */
const FLAG_BITS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};

/** The ABIs that a kernel can run, its own first. */
const FAMILIES: Readonly<Record<SeccompTarget['arch'], readonly SeccompArch[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** The filter for `seccomp` on a kernel of architecture `arch`. */
export function compileSeccomp(seccomp: Seccomp, arch: SeccompTarget['arch']): CompiledFilter {
  const builder = new ProgramBuilder();
  const [native, ...others] = FAMILIES[arch];
  const wanted = [native!, ...others.filter((other) => seccomp.architectures?.includes(other))];
  let start = builder.ret(SECCOMP_RET.KILL_PROCESS);
  // The last architecture is asked for first, so the native one goes last here.
  for (const audit of new Set(wanted.map((abi) => AUDIT_ARCH[abi]).toReversed())) {
    const abis = wanted.filter((abi) => AUDIT_ARCH[abi] === audit);
    const table = search(builder, callSegments(builder, seccomp, abis));
    start = builder.branch(BPF.JMP_JEQ_K, audit, builder.load(SECCOMP_DATA.nr, table), start);
  }
  const flags = (seccomp.flags ?? []).reduce((bits, flag) => bits | FLAG_BITS[flag], 0);
  return { program: builder.finish(builder.load(SECCOMP_DATA.arch, start)), flags };
}

/** What the call numbers under one audit architecture come to: those of x86-64 and x32 differ by a bit. */
function callSegments(builder: ProgramBuilder, seccomp: Seccomp, abis: readonly SeccompArch[]): Segment[] {
  const segments: Segment[] = [];
  for (const abi of abis) {
    const policy = policyFor(seccomp, abi);
    segments.push(...policySegments(builder, policy, abi === 'SCMP_ARCH_X32' ? X32_BIT : 0));
    if (abi === 'SCMP_ARCH_X86_64' && !abis.includes('SCMP_ARCH_X32')) {
      segments.push({ from: X32_BIT, decision: SECCOMP_RET.KILL_PROCESS });
      // What a tracer sets to have a call skipped; never a real one.
      segments.push({ from: 0xffffffff, decision: RET_ENOSYS });
    }
  }
  return segments;
}

function policySegments(builder: ProgramBuilder, policy: Policy, base: number): Segment[] {
  const segments: Segment[] = [];
  let next = base;
  let fill = policy.otherwise;

  function upTo(end: number): void {
    if (next <= policy.newest && end > policy.newest + 1) {
      segments.push({ from: next, decision: policy.otherwise });
      next = policy.newest + 1;
    }
    if (next > policy.newest) fill = policy.unknown;
    if (next < end) segments.push({ from: next, decision: fill });
    next = end;
  }

  for (const [number, call] of [...policy.calls].sort(([a], [b]) => a - b)) {
    upTo(number);
    segments.push({ from: number, decision: decide(builder, call, policy.otherwise) });
    next = number + 1;
  }
  upTo(Infinity);
  return segments;
}

function decide(builder: ProgramBuilder, call: number | readonly Condition[], otherwise: number): Decision {
  if (typeof call === 'number') return call;
  const [first] = call;
  const index = first?.tests[0]?.index;
  const simple = call.every(
    ({ tests: [test, ...more] }) => test?.index === index && more.length === 0 && test?.op !== 'SCMP_CMP_MASKED_EQ',
  );
  if (simple && index !== undefined) return () => searchArgument(builder, index, ranges(call, otherwise));
  return () => chain(builder, call, otherwise);
}

/** Conditions on one argument that are comparisons, as ranges of its values. */
function ranges(call: readonly Condition[], otherwise: number): WideSegment[] {
  const starts = new Set([0n]);
  for (const { tests } of call) {
    for (const { value } of tests) {
      starts.add(value);
      if (value + 1n < 1n << 64n) starts.add(value + 1n);
    }
  }
  return [...starts]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((from) => ({ from, value: call.find(({ tests }) => holds(tests[0]!, from))?.value ?? otherwise }));
}

function holds({ op, value, valueTwo = 0n }: SeccompArg, argument: bigint): boolean {
  switch (op) {
    case 'SCMP_CMP_EQ':
      return argument === value;
    case 'SCMP_CMP_NE':
      return argument !== value;
    case 'SCMP_CMP_LT':
      return argument < value;
    case 'SCMP_CMP_LE':
      return argument <= value;
    case 'SCMP_CMP_GT':
      return argument > value;
    case 'SCMP_CMP_GE':
      return argument >= value;
    case 'SCMP_CMP_MASKED_EQ':
      return (argument & value) === valueTwo;
  }
}

/** One condition after the other. */
function chain(builder: ProgramBuilder, call: readonly Condition[], otherwise: number): Node {
  let next = builder.ret(otherwise);
  for (const { tests, value } of call.toReversed()) {
    let node = builder.ret(value);
    for (const test of tests.toReversed()) node = compare(builder, test, node, next);
    next = node;
  }
  return next;
}

function compare(builder: ProgramBuilder, test: SeccompArg, yes: Node, no: Node): Node {
  const [high, low] = [Number(test.value >> 32n), Number(test.value & 0xffff_ffffn)];

  /** Goes on at `more`, `equal` or `less` by how the argument compares; two of the three are the same. */
  function halves(code: typeof BPF.JMP_JGT_K | typeof BPF.JMP_JGE_K, above: Node, below: Node): Node {
    const lower = builder.load(SECCOMP_DATA.argLow(test.index), builder.branch(code, low, above, below));
    const upper = builder.branch(BPF.JMP_JGT_K, high, above, builder.branch(BPF.JMP_JEQ_K, high, lower, below));
    return builder.load(SECCOMP_DATA.argHigh(test.index), upper);
  }

  switch (test.op) {
    case 'SCMP_CMP_EQ':
      return masked(builder, test.index, 0xffff_ffff_ffff_ffffn, test.value, yes, no);
    case 'SCMP_CMP_NE':
      return masked(builder, test.index, 0xffff_ffff_ffff_ffffn, test.value, no, yes);
    case 'SCMP_CMP_MASKED_EQ':
      return masked(builder, test.index, test.value, test.valueTwo ?? 0n, yes, no);
    case 'SCMP_CMP_GT':
      return halves(BPF.JMP_JGT_K, yes, no);
    case 'SCMP_CMP_GE':
      return halves(BPF.JMP_JGE_K, yes, no);
    case 'SCMP_CMP_LT':
      return halves(BPF.JMP_JGE_K, no, yes);
    case 'SCMP_CMP_LE':
      return halves(BPF.JMP_JGT_K, no, yes);
  }
}

/** `(argument & mask) == value`, a half at a time; a half that the mask leaves out is not loaded. */
function masked(builder: ProgramBuilder, index: number, mask: bigint, value: bigint, yes: Node, no: Node): Node {
  if ((value & ~mask) !== 0n) return no;
  let node = yes;
  for (const [offset, shift] of [
    [SECCOMP_DATA.argLow(index), 0n],
    [SECCOMP_DATA.argHigh(index), 32n],
  ] as const) {
    const bits = Number((mask >> shift) & 0xffff_ffffn);
    if (bits === 0) continue;
    node = builder.branch(BPF.JMP_JEQ_K, Number((value >> shift) & 0xffff_ffffn), node, no);
    if (bits !== 0xffffffff) node = builder.and(bits, node);
    node = builder.load(offset, node);
  }
  return node;
}
