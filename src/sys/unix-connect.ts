import { closeSync } from 'node:fs';
import { native } from './koffi.ts';
import { AF_UNIX, SOCK } from './linux-constants.ts';
import { check, ERRNO, systemError } from './system-error.ts';

const socket = native('socket', 'int', ['int', 'int', 'int']);
const connect = native('connect', 'int', ['int', 'void *', 'uint']);
const setsockopt = native('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
/** struct sockaddr_un: family u16, path[108]. */
const SOCKADDR_UN = { size: 110, path: 2, maxPath: 107 } as const;

/**
 * A blocking connection to a unix socket, close-on-exec, for exchanges that pass fds. Sends and receives fail with EAGAIN
 * after `timeout` ms. Throws ENOENT or ECONNREFUSED where nobody listens. The caller closes it.
 */
export function connectUnix(path: string, timeout: number): number {
  const address = Buffer.alloc(SOCKADDR_UN.size);
  address.writeUInt16LE(AF_UNIX, 0);
  if (Buffer.byteLength(path) > SOCKADDR_UN.maxPath) throw systemError(ERRNO.ENAMETOOLONG, 'connect', path);
  address.write(path, SOCKADDR_UN.path);
  const fd = check(socket(AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0), 'socket');
  try {
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(BigInt(Math.floor(timeout / 1000)), 0);
    patience.writeBigInt64LE(BigInt((timeout % 1000) * 1000), 8);
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
      check(setsockopt(fd, SOL_SOCKET, option, patience, patience.length), 'setsockopt');
    }
    check(connect(fd, address, address.length), 'connect', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
