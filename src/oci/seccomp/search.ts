import { BPF, type Node, type ProgramBuilder, SECCOMP_DATA } from './bpf.ts';

/** What a program comes to: a value to return, or more instructions to run. */
export type Decision = number | (() => Node);

/** From `from` up to the next segment's `from`, a number means `decision`. */
export interface Segment {
  from: number;
  decision: Decision;
}

/** The same over the 64 bits of an argument; what it comes to is a value to return. */
export interface WideSegment {
  from: bigint;
  value: number;
}

/**
 * A binary search over `segments` (ascending, the first from 0) for the 32-bit value that was loaded. The usual filter
 * asks about one number after the other; this asks about as many as the logarithm of the number of segments.
 */
export function search(builder: ProgramBuilder, segments: readonly Segment[]): Node {
  return descend(builder, withoutRepeats(segments));
}

/** Searches `segments` (ascending, the first from 0) for argument `index`: its high half first, then its low one. */
export function searchArgument(builder: ProgramBuilder, index: number, segments: readonly WideSegment[]): Node {
  const highs = new Set([0]);
  for (const { from } of segments) {
    const high = Number(from >> 32n);
    highs.add(high);
    if (high < 0xffffffff) highs.add(high + 1);
  }
  const byHigh = [...highs].sort((a, b) => a - b).map((high) => ({ from: high, decision: lowHalf(high) }));

  function lowHalf(high: number): Decision {
    const start = BigInt(high) << 32n;
    const inside = segments.filter(({ from }) => from > start && from >> 32n === BigInt(high));
    const atStart = segments.findLast(({ from }) => from <= start)!.value;
    if (inside.every(({ value }) => value === atStart)) return atStart;
    const byLow = [
      { from: 0, decision: atStart },
      ...inside.map(({ from, value }) => ({ from: Number(from & 0xffff_ffffn), decision: value })),
    ];
    return () => builder.load(SECCOMP_DATA.argLow(index), search(builder, byLow));
  }

  return builder.load(SECCOMP_DATA.argHigh(index), search(builder, byHigh));
}

function descend(builder: ProgramBuilder, segments: readonly Segment[]): Node {
  const [first, second, third] = segments;
  if (first === undefined) throw new Error('nothing to search');
  if (second === undefined) return settle(builder, first.decision);
  if (segments.length === 3 && first.decision === third?.decision && third.from === second.from + 1) {
    const inside = settle(builder, second.decision);
    return builder.branch(BPF.JMP_JEQ_K, second.from, inside, settle(builder, first.decision));
  }
  const middle = Math.ceil(segments.length / 2);
  const above = descend(builder, segments.slice(middle));
  const below = descend(builder, segments.slice(0, middle));
  return builder.branch(BPF.JMP_JGE_K, segments[middle]!.from, above, below);
}

function settle(builder: ProgramBuilder, decision: Decision): Node {
  return typeof decision === 'number' ? builder.ret(decision) : decision();
}

function withoutRepeats(segments: readonly Segment[]): Segment[] {
  return segments.filter(({ decision }, i) => i === 0 || decision !== segments[i - 1]!.decision);
}
