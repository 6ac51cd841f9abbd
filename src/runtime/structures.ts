/** Kernel structures that plans pass, each with its header. All little endian. */
import { Slot } from '../monitor/plan.ts';

/** struct mount_attr of linux/mount.h: attr_set, attr_clr, propagation, userns_fd. */
export function mountAttr(set: number, clear: number, propagation = 0): Buffer {
  const attr = Buffer.alloc(32);
  attr.writeBigUInt64LE(BigInt(set), 0);
  attr.writeBigUInt64LE(BigInt(clear), 8);
  attr.writeBigUInt64LE(BigInt(propagation), 16);
  return attr;
}

/** struct rlimit64 of sys/resource.h. */
export function rlimit64(soft: bigint, hard: bigint): Buffer {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(soft, 0);
  limit.writeBigUInt64LE(hard, 8);
  return limit;
}

/** struct sched_attr of linux/sched/types.h, as of its first version; times in nanoseconds. */
export function schedulerAttributes(values: {
  readonly policy: number;
  readonly flags: number;
  readonly nice?: number;
  readonly priority?: number;
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}): Buffer {
  const attributes = Buffer.alloc(48);
  attributes.writeUInt32LE(attributes.length, 0);
  attributes.writeUInt32LE(values.policy, 4);
  attributes.writeBigUInt64LE(BigInt(values.flags), 8);
  attributes.writeInt32LE(values.nice ?? 0, 16);
  attributes.writeUInt32LE(values.priority ?? 0, 20);
  for (const [i, time] of [values.runtime, values.deadline, values.period].entries()) {
    attributes.writeBigUInt64LE(BigInt(time ?? 0), 24 + 8 * i);
  }
  return attributes;
}

/** struct pollfd of poll.h, for whether there is something to read. */
export function pollOf(fd: number): Buffer {
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  poll.writeInt16LE(1 /* POLLIN */, 4);
  return poll;
}

/** struct winsize of asm-generic/termios.h. */
export function winsize(rows: number, columns: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows & 0xffff, 0);
  size.writeUInt16LE(columns & 0xffff, 2);
  return size;
}

/** struct sock_fprog of linux/filter.h: number of 8-byte instructions, pointer to them. */
export function sockFprog(filter: Buffer): Slot {
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  return new Slot(program, 'seccomp filter', new Map([[8, new Slot(filter, 'instructions')]]));
}

/** sockaddr_un of sys/un.h for a name in the current folder. */
export function unixAddress(name: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1 /* AF_UNIX */, 0);
  if (address.write(name, 2, 107) !== Buffer.byteLength(name)) throw new RangeError(`socket name ${name} is too long`);
  return address;
}

/** struct msghdr with one byte of data and room for one fd (cmsg(3)). `fd` is where the fd's number stands. */
export function fdMessage(fd: number): { header: Slot; control: Slot; fdOffset: number } {
  const control = new Slot(Buffer.alloc(24), 'control message');
  control.bytes.writeBigUInt64LE(20n, 0); // cmsg_len
  control.bytes.writeInt32LE(1, 8); // SOL_SOCKET
  control.bytes.writeInt32LE(1, 12); // SCM_RIGHTS
  control.bytes.writeInt32LE(fd, 16);
  const vector = new Slot(Buffer.alloc(16), 'io vector', new Map([[0, new Slot(Buffer.alloc(1), 'byte')]]));
  vector.bytes.writeBigUInt64LE(1n, 8);
  const header = new Slot(
    Buffer.alloc(56),
    'message with an fd',
    new Map([
      [16, vector],
      [32, control],
    ]),
  );
  header.bytes.writeBigUInt64LE(1n, 24);
  header.bytes.writeBigUInt64LE(24n, 40);
  return { header, control, fdOffset: 16 };
}
