/** Datagrams over unix sockets, which Node does not have: unix(7), for sd_notify(3). */
import { closeSync, rmSync } from 'node:fs';
import { native } from './koffi.ts';
import { AF_UNIX, SOCK } from './linux-constants.ts';
import { check, ERRNO, systemError } from './system-error.ts';

const socket = native('socket', 'int', ['int', 'int', 'int']);
const bind = native('bind', 'int', ['int', 'void *', 'uint']);
const sendto = native('sendto', 'long', ['int', 'void *', 'ulong', 'int', 'void *', 'uint']);
const recv = native('recv', 'long', ['int', 'void *', 'ulong', 'int']);
const setsockopt = native('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
/** struct sockaddr_un: family u16, path[108]; an abstract name begins with NUL, written `@`. */
const SOCKADDR_UN = { size: 110, path: 2, maxPath: 107 } as const;

function addressOf(path: string): Buffer {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  if (name.length > SOCKADDR_UN.maxPath) throw systemError(ERRNO.ENAMETOOLONG, 'bind', path);
  const address = Buffer.alloc(SOCKADDR_UN.path + name.length + (path.startsWith('@') ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, SOCKADDR_UN.path);
  return address;
}

/** A socket that receives at `path`, in place of what lies there; a wait for a datagram ends after `timeout` ms. */
export function bindDatagram(path: string, timeout: number): number {
  rmSync(path, { force: true });
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK.CLOEXEC, 0), 'socket');
  try {
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(BigInt(Math.floor(timeout / 1000)), 0);
    patience.writeBigInt64LE(BigInt((timeout % 1000) * 1000), 8);
    check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length), 'setsockopt');
    const address = addressOf(path);
    check(bind(fd, address, address.length), 'bind', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The next datagram; throws EAGAIN when the time is over. */
export function receiveDatagram(fd: number, size: number): Buffer {
  const data = Buffer.alloc(size);
  return data.subarray(0, check(recv(fd, data, data.length, 0), 'recv'));
}

export function sendDatagram(path: string, data: Buffer): void {
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK.CLOEXEC, 0), 'socket');
  try {
    const address = addressOf(path);
    check(sendto(fd, data, data.length, 0x4000 /* MSG_NOSIGNAL */, address, address.length), 'sendto', path);
  } finally {
    closeSync(fd);
  }
}
