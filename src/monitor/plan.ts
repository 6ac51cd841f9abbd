/**
 * Launch plans: typed lists of system calls, built here and executed by the monitor (monitor.c has the theory).
 * A plan is data: tests assert on it, `--dry-run` prints it.
 */
import { PR } from '../sys/linux-constants.ts';
import { FLAG, HEADER, KIND, MAGIC, OPERATION, PSEUDO, type PseudoName } from './plan-layout.ts';
import { type SyscallName, syscallNumber } from './syscalls.ts';

/** Memory inside the plan: a string, a structure, or room for a result. */
export class Slot {
  readonly bytes: Buffer;
  /** Offset of each pointer in `bytes` -> what it points at. */
  readonly pointers: ReadonlyMap<number, Slot>;
  readonly label: string;

  constructor(bytes: Buffer, label: string, pointers: ReadonlyMap<number, Slot> = new Map()) {
    this.bytes = bytes;
    this.label = label;
    this.pointers = pointers;
  }
}

/** The result of an earlier operation, as an argument of a later one. */
export class Result {
  readonly operation: number;

  constructor(operation: number) {
    this.operation = operation;
  }
}

/** A 32-bit number that the monitor reads from a slot when the operation runs (an fd that a system call stored there). */
export class Load32 {
  readonly slot: Slot;
  readonly offset: number;

  constructor(slot: Slot, offset: number) {
    this.slot = slot;
    this.offset = offset;
  }
}

/** A place in the plan that operations jump to; set by `plan.place(label)`. */
export class Label {
  position: number | undefined;
}

/** Strings and Buffers become slots; a string ends with NUL. */
export type Argument = number | bigint | string | Buffer | Slot | Result | Load32;

export interface Options {
  /** Go on whatever comes. */
  readonly ignore?: boolean;
  /** Zero is an error as well (EPIPE): a read that met the end of file. */
  readonly nonzero?: boolean;
  /** Where to go on after an error. */
  readonly otherwise?: Label;
}

interface Operation {
  readonly name: SyscallName | PseudoName;
  readonly number: (arch: string) => number;
  readonly args: readonly (number | bigint | Slot | Result | Load32)[];
  readonly flags: number;
  readonly jump: Label | undefined;
  /** The action in words that fit behind "Cannot". */
  readonly action: string;
}

/** A plan under construction. The order of calls is the order of execution. */
export class LaunchPlan {
  readonly #operations: Operation[] = [];
  readonly #strings = new Map<string, Slot>();

  /** Appends a system call. `action` completes "Cannot …" should it fail. */
  call(name: SyscallName, args: readonly Argument[], action: string, options: Options = {}): Result {
    return this.#append(name, (arch) => syscallNumber(name, arch), args, action, flagsOf(options), options.otherwise);
  }

  /** Appends a clone-like system call; the child goes on at `child`. The result is the child's pid. */
  fork(name: SyscallName, args: readonly Argument[], child: Label, action: string): Result {
    return this.#append(name, (arch) => syscallNumber(name, arch), args, action, FLAG.child, child);
  }

  /** Appends one of the monitor's own operations. */
  pseudo(name: PseudoName, args: readonly Argument[], action: string, options: Options = {}): Result {
    return this.#append(name, () => PSEUDO[name], args, action, flagsOf(options), options.otherwise);
  }

  /** Names the process from here on, for ps(1): at most 15 bytes count (prctl(2), PR_SET_NAME). */
  rename(name: string): void {
    this.call('prctl', [PR.SET_NAME, name, 0, 0, 0], 'name the process', { ignore: true });
  }

  jump(to: Label): void {
    this.#append('jump', () => PSEUDO.jump, [], 'go on', 0, to);
  }

  /** Makes `label` the place of the next operation. */
  place(label: Label): void {
    label.position = this.#operations.length;
  }

  /** Memory of the plan, zeroed, for system calls to write into. */
  room(size: number, label: string): Slot {
    return new Slot(Buffer.alloc(size), label);
  }

  /** A NULL-terminated array of strings (argv, envp). */
  strings(values: readonly string[], label: string): Slot {
    const bytes = Buffer.alloc(8 * (values.length + 1));
    return new Slot(bytes, label, new Map(values.map((value, i) => [8 * i, this.string(value)])));
  }

  /** A NUL-terminated string. Throws where it holds a NUL itself, for the kernel would see another string. */
  string(value: string): Slot {
    let slot = this.#strings.get(value);
    if (slot === undefined) {
      if (value.includes('\0')) throw new TypeError(`a NUL byte in ${JSON.stringify(value)}`);
      slot = new Slot(Buffer.from(`${value}\0`, 'utf8'), JSON.stringify(value));
      this.#strings.set(value, slot);
    }
    return slot;
  }

  /** What operation `index` does, for the message of its error: "Cannot …". */
  action(index: number): string {
    return this.#operations[index]?.action ?? `do operation ${index}`;
  }

  /** The same for all operations from `first` on. */
  actions(first: number): string[] {
    return this.#operations.slice(first).map(({ action }) => action);
  }

  /** The plan in words, an operation a line. */
  describe(): string[] {
    return this.#operations.map(({ name, args, flags, jump }, i) => {
      const shown = args.map((arg) => {
        if (arg instanceof Slot) return arg.label;
        if (arg instanceof Result) return `r${arg.operation}`;
        if (arg instanceof Load32) return `*(${arg.slot.label}+${arg.offset})`;
        return typeof arg === 'number' && arg > 4096 ? `0x${arg.toString(16)}` : String(arg);
      });
      const suffix = [
        flags & FLAG.ignore ? 'or go on' : '',
        flags & FLAG.else ? `or at ${jump?.position}` : '',
        flags & FLAG.child ? `child at ${jump?.position}` : '',
        name === 'jump' ? `to ${jump?.position}` : '',
      ];
      const shownName = name === 'exec' ? 'execve' : name;
      return `${String(i).padStart(3)} ${shownName}(${shown.join(', ')}) ${suffix.join('')}`.trimEnd();
    });
  }

  /** The plan as the monitor maps it. */
  encode(arch: string = process.arch): Buffer {
    return encodePlan(this.#operations, arch);
  }

  #append(
    name: SyscallName | PseudoName,
    number: (arch: string) => number,
    args: readonly Argument[],
    action: string,
    flags: number,
    jump: Label | undefined,
  ): Result {
    if (args.length > OPERATION.maxArgs) throw new RangeError(`${name}: more than ${OPERATION.maxArgs} arguments`);
    const stored = args.map((arg) => {
      if (typeof arg === 'string') return this.string(arg);
      return Buffer.isBuffer(arg) ? new Slot(arg, `${arg.length} bytes`) : arg;
    });
    this.#operations.push({ name, number, args: stored, flags, jump, action });
    return new Result(this.#operations.length - 1);
  }
}

function flagsOf({ ignore = false, nonzero = false, otherwise }: Options): number {
  return (ignore ? FLAG.ignore : 0) | (nonzero ? FLAG.nonzero : 0) | (otherwise === undefined ? 0 : FLAG.else);
}

/** Collects every slot that is reachable, so that each is laid out once. */
function placeSlots(operations: readonly Operation[], start: number): { offsets: Map<Slot, number>; end: number } {
  const offsets = new Map<Slot, number>();
  let end = start;
  function place(slot: Slot): void {
    if (offsets.has(slot)) return;
    offsets.set(slot, end);
    end = align8(end + slot.bytes.length);
    for (const target of slot.pointers.values()) place(target);
  }
  for (const { args } of operations) {
    for (const arg of args) {
      if (arg instanceof Slot) place(arg);
      else if (arg instanceof Load32) place(arg.slot);
    }
  }
  return { offsets, end };
}

function align8(value: number): number {
  return (value + 7) & ~7;
}

function encodePlan(operations: readonly Operation[], arch: string): Buffer {
  const relocationsAt = HEADER.size + operations.length * OPERATION.size;
  // Slots are placed twice: how many pointers there are decides where data begins.
  const relocationCount = [...placeSlots(operations, 0).offsets.keys()].reduce((n, slot) => n + slot.pointers.size, 0);
  const { offsets, end } = placeSlots(operations, align8(relocationsAt + 4 * relocationCount));

  const plan = Buffer.alloc(end);
  plan.writeUInt32LE(MAGIC, HEADER.magic);
  plan.writeUInt32LE(operations.length, HEADER.operations);
  plan.writeUInt32LE(relocationCount, HEADER.relocations);
  plan.writeUInt32LE(end, HEADER.total);

  let relocation = relocationsAt;
  for (const [slot, offset] of offsets) {
    slot.bytes.copy(plan, offset);
    for (const [at, target] of slot.pointers) {
      plan.writeBigUInt64LE(BigInt(offsets.get(target)!), offset + at);
      relocation = plan.writeUInt32LE(offset + at, relocation);
    }
  }
  for (const [i, operation] of operations.entries()) {
    encodeOperation(plan.subarray(HEADER.size + i * OPERATION.size), operation, offsets, arch);
  }
  return plan;
}

function encodeOperation(to: Buffer, operation: Operation, offsets: Map<Slot, number>, arch: string): void {
  const { name, number, args, flags, jump } = operation;
  let kinds = 0;
  for (const [i, arg] of args.entries()) {
    const [kind, value] = encodeArgument(arg, offsets);
    kinds |= kind << (4 * i);
    writeInt64(to, value, OPERATION.args + 8 * i);
  }
  if (jump !== undefined && jump.position === undefined) throw new Error(`${name} jumps to a label without a place`);
  to.writeUInt16LE(number(arch), OPERATION.number);
  to.writeUInt16LE(flags, OPERATION.flags);
  to.writeUInt32LE(kinds, OPERATION.kinds);
  to.writeInt32LE(jump?.position ?? 0, OPERATION.jump);
}

/** In halves where it is a number: conversions to bigint are most of what a plan's encoding costs. */
function writeInt64(to: Buffer, value: number | bigint, offset: number): void {
  if (typeof value === 'bigint') {
    to.writeBigInt64LE(BigInt.asIntN(64, value), offset);
  } else {
    to.writeInt32LE(value | 0, offset);
    to.writeInt32LE(Math.floor(value / 2 ** 32) | 0, offset + 4);
  }
}

function encodeArgument(
  arg: Operation['args'][number],
  offsets: Map<Slot, number>,
): [kind: number, value: number | bigint] {
  if (arg instanceof Slot) return [KIND.address, offsets.get(arg)!];
  if (arg instanceof Result) return [KIND.result, arg.operation];
  if (arg instanceof Load32) return [KIND.load32, offsets.get(arg.slot)! + arg.offset];
  return [KIND.value, arg];
}
