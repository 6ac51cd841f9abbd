/** Unix sockets that carry descriptors (unix(7), SCM_RIGHTS). */
import { bind, check } from './libc.ts';
import { allocate } from './memory.ts';

const c = {
  socketpair: bind('socketpair', 'int', ['int', 'int', 'int', 'pointer']),
  recvmsg: bind('recvmsg', 'long', ['int', 'pointer', 'int']),
};

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EBADMSG = 74;

const memory = allocate(256);

/** Two connected sockets, close-on-exec; or a negative errno. */
export function socketPair(): [number, number] | number {
  const result = check(c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, memory.address));
  return result < 0 ? result : [memory.buffer.readInt32LE(0), memory.buffer.readInt32LE(4)];
}

/** `struct msghdr` and what it points to, on 64-bit architectures. */
const at = { iovec: 0, data: 16, header: 32, control: 96 } as const;
const controlSize = 64;

/** Waits for a message with one descriptor and gives that, close-on-exec; or a negative errno. */
export function receiveFd(socket: number): number {
  const { buffer, address } = memory;
  buffer.fill(0);
  buffer.writeBigUInt64LE(BigInt(address + at.data), at.iovec);
  buffer.writeBigUInt64LE(1n, at.iovec + 8);
  buffer.writeBigUInt64LE(BigInt(address + at.iovec), at.header + 16);
  buffer.writeBigUInt64LE(1n, at.header + 24);
  buffer.writeBigUInt64LE(BigInt(address + at.control), at.header + 32);
  buffer.writeBigUInt64LE(BigInt(controlSize), at.header + 40);
  const received = check(c.recvmsg(socket, address + at.header, MSG_CMSG_CLOEXEC));
  if (received < 0) return received;
  // struct cmsghdr: size_t length, int level, int type, then the descriptor.
  const isFd = buffer.readInt32LE(at.control + 8) === SOL_SOCKET && buffer.readInt32LE(at.control + 12) === SCM_RIGHTS;
  return isFd && buffer.readBigUInt64LE(at.header + 40) >= 20n ? buffer.readInt32LE(at.control + 16) : -EBADMSG;
}
