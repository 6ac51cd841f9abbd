/**
 * File descriptors over unix sockets: SCM_RIGHTS of unix(7), with the control message laid out by hand as cmsg(3) does
 * on 64-bit machines (length u64, level i32, type i32, then the fds).
 */
import { closeSync } from 'node:fs';
import { native, koffi } from './koffi.ts';
import { check } from './system-error.ts';

const sendmsg = native('sendmsg', 'long', ['int', 'void *', 'int']);
const recvmsg = native('recvmsg', 'long', ['int', 'void *', 'int']);

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x8;
const CMSG_HEADER = 16;
const MAX_FDS = 16;

/** struct msghdr of sys/socket.h: name, namelen, iov, iovlen, control, controllen, flags. */
const MSGHDR = { size: 56, iov: 16, iovlen: 24, control: 32, controllen: 40, flags: 48 } as const;

/** What the header of the call under way points at: without a reference, the collector could take it during the call. */
const pointedAt: { buffers: readonly Buffer[] } = { buffers: [] };

function messageHeader(data: Buffer, control: Buffer): Buffer {
  const iov = Buffer.alloc(16);
  iov.writeBigUInt64LE(koffi.address(data), 0);
  iov.writeBigUInt64LE(BigInt(data.length), 8);
  const header = Buffer.alloc(MSGHDR.size);
  header.writeBigUInt64LE(koffi.address(iov), MSGHDR.iov);
  header.writeBigUInt64LE(1n, MSGHDR.iovlen);
  header.writeBigUInt64LE(koffi.address(control), MSGHDR.control);
  header.writeBigUInt64LE(BigInt(control.length), MSGHDR.controllen);
  pointedAt.buffers = [iov, data, control];
  return header;
}

/** Sends `data` (not empty) together with the fds. Returns how much of it was sent: a slow reader may leave no room for all. */
export function sendWithFds(socket: number, data: Buffer, fds: readonly number[]): number {
  const control = Buffer.alloc(Math.ceil((CMSG_HEADER + 4 * fds.length) / 8) * 8);
  control.writeBigUInt64LE(BigInt(CMSG_HEADER + 4 * fds.length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [i, fd] of fds.entries()) control.writeInt32LE(fd, CMSG_HEADER + 4 * i);
  return check(sendmsg(socket, messageHeader(data, control), MSG_NOSIGNAL), 'sendmsg');
}

/**
 * Receives up to `size` bytes and the fds that came with them (close-on-exec; the caller closes them).
 * Empty data means end of file. Throws EAGAIN on a non-blocking socket with nothing there.
 */
export function receiveWithFds(socket: number, size: number): { data: Buffer; fds: number[] } {
  const data = Buffer.alloc(size);
  const control = Buffer.alloc(CMSG_HEADER + 4 * MAX_FDS);
  const header = messageHeader(data, control);
  const received = check(recvmsg(socket, header, MSG_CMSG_CLOEXEC), 'recvmsg');
  const fds: number[] = [];
  const length =
    Number(header.readBigUInt64LE(MSGHDR.controllen)) >= CMSG_HEADER ? Number(control.readBigUInt64LE(0)) : 0;
  for (let at = CMSG_HEADER; at + 4 <= length; at += 4) fds.push(control.readInt32LE(at));
  if (header.readInt32LE(MSGHDR.flags) & MSG_CTRUNC) {
    for (const fd of fds) closeSync(fd);
    throw new Error(`more than ${MAX_FDS} file descriptors in a message`);
  }
  return { data: data.subarray(0, received), fds };
}
