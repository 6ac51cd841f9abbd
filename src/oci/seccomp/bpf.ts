/**
 * Classic BPF as seccomp(2) takes it, written back to front.
 *
 * Jumps of classic BPF only go forward, and conditional ones at most 255 instructions far. So a program is made from
 * its end: whatever an instruction continues with exists already, its distance is known, and where that is too far a
 * BPF_JA trampoline goes in between. Equal instructions with equal continuations are made once, so common tails (the
 * same action, the same last comparison) are shared by themselves.
 */

/** linux/bpf_common.h, the part that the kernel admits for seccomp and we use. */
export const BPF = {
  LD_W_ABS: 0x20,
  ALU_AND_K: 0x54,
  JMP_JA: 0x05,
  JMP_JEQ_K: 0x15,
  JMP_JGT_K: 0x25,
  JMP_JGE_K: 0x35,
  JMP_JSET_K: 0x45,
  RET_K: 0x06,
} as const;

/** `struct seccomp_data` (linux/seccomp.h): offsets of what a filter can load, 32 bits at a time. */
export const SECCOMP_DATA = {
  nr: 0,
  arch: 4,
  /** Low half of argument `index`; both our architectures are little-endian. */
  argLow: (index: number): number => 16 + 8 * index,
  argHigh: (index: number): number => 16 + 8 * index + 4,
} as const;

/** `struct sock_filter` (linux/filter.h): __u16 code, __u8 jt, __u8 jf, __u32 k. */
export interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

/** An instruction of a program under construction: how many instructions there are from it to the program's end. */
export type Node = number & { readonly node: unique symbol };

/** linux/bpf_common.h: the kernel takes no longer program. */
const BPF_MAXINSNS = 4096;
const FARTHEST = 255;

export class ProgramBuilder {
  /** Last instruction first. */
  readonly #reversed: Instruction[] = [];
  readonly #known = new Map<string, Node>();

  /** Ends the program with the return value `k`. */
  ret(k: number): Node {
    // Where a shared return is out of reach, a second one is cheaper than a jump to the first.
    const known = this.#known.get(`ret ${k}`);
    if (known !== undefined && this.#distance(known) <= FARTHEST) return known;
    return this.#append(`ret ${k}`, { code: BPF.RET_K, jt: 0, jf: 0, k });
  }

  /** Loads the 32 bits at `offset` of the seccomp data, then goes on at `next`. */
  load(offset: number, next: Node): Node {
    return this.#straight(BPF.LD_W_ABS, offset, next);
  }

  /** Masks what was loaded with `mask`, then goes on at `next`. */
  and(mask: number, next: Node): Node {
    return this.#straight(BPF.ALU_AND_K, mask, next);
  }

  /** Compares what was loaded with `k` (unsigned), goes on at `yes` or at `no`. */
  branch(
    code: typeof BPF.JMP_JEQ_K | typeof BPF.JMP_JGE_K | typeof BPF.JMP_JGT_K,
    k: number,
    yes: Node,
    no: Node,
  ): Node {
    if (yes === no) return yes;
    const key = `${code} ${k} ${yes} ${no}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // One of the two trampolines may push the other target out of reach, hence the margin.
    const near = this.#near(no, 1);
    const jt = this.#distance(this.#near(yes, 0));
    return this.#append(key, { code, jt, jf: this.#distance(near), k });
  }

  /** The whole program that begins at `start`, as an array of `struct sock_filter`. */
  finish(start: Node): Uint8Array {
    this.#reach(start);
    if (this.#reversed.length > BPF_MAXINSNS) {
      throw new Error(`seccomp filter of ${this.#reversed.length} instructions, the kernel takes ${BPF_MAXINSNS}`);
    }
    return encode(this.#reversed.toReversed());
  }

  #straight(code: number, k: number, next: Node): Node {
    const key = `${code} ${k} ${next}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#reach(next);
    return this.#append(key, { code, jt: 0, jf: 0, k });
  }

  /** Makes sure that what is appended next falls through to `target`. */
  #reach(target: Node): void {
    if (this.#distance(target) > 0) this.#jump(target);
  }

  /** A node for `target` that a conditional jump reaches even after `margin` more instructions. */
  #near(target: Node, margin: number): Node {
    return this.#distance(target) + margin > FARTHEST ? this.#jump(target) : target;
  }

  #jump(target: Node): Node {
    const there = this.#reversed[target - 1]!;
    if (there.code === BPF.RET_K) return this.#append(`ret ${there.k}`, there);
    return this.#append('', { code: BPF.JMP_JA, jt: 0, jf: 0, k: this.#distance(target) });
  }

  /** Instructions to skip from one that is appended now to `target`. */
  #distance(target: Node): number {
    return this.#reversed.length - target;
  }

  #append(key: string, instruction: Instruction): Node {
    const node = this.#reversed.push(instruction) as Node;
    if (key !== '') this.#known.set(key, node);
    return node;
  }
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * instructions.length);
  const view = new DataView(bytes.buffer);
  for (const [i, { code, jt, jf, k }] of instructions.entries()) {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k >>> 0, true);
  }
  return bytes;
}
