/**
 * Listening unix sockets without libuv (unix(7)), for processes with an event loop of their own. Connections are read
 * and written with node:fs, which throws EAGAIN where there is nothing to read or no room.
 */
import { closeSync, rmSync } from 'node:fs';
import { native } from './koffi.ts';
import { errorCode } from '../base/error-code.ts';
import { check, systemError } from './system-error.ts';

const socket = native('socket', 'int', ['int', 'int', 'int']);
const bind = native('bind', 'int', ['int', 'void *', 'uint']);
const listen = native('listen', 'int', ['int', 'int']);
const accept4 = native('accept4', 'int', ['int', 'void *', 'void *', 'int']);
const getsockopt = native('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const BACKLOG = 128;
const ENAMETOOLONG = 36;

/** struct sockaddr_un: family u16, path[108]. */
const SOCKADDR_UN = { size: 110, path: 2, maxPath: 107 } as const;
/** struct ucred: pid, uid, gid, 32 bits each. */
const UCRED = { size: 12, uid: 4 } as const;

/**
 * Listens at `path`, in place of what lies there. Non-blocking and close-on-exec; the caller closes it. Who may connect
 * is decided by the folder's mode and by `acceptUnix`.
 */
export function listenUnix(path: string): number {
  const name = Buffer.from(path);
  if (name.length > SOCKADDR_UN.maxPath) throw systemError(ENAMETOOLONG, 'bind', path);
  const address = Buffer.alloc(SOCKADDR_UN.size);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, SOCKADDR_UN.path);
  rmSync(path, { force: true });
  const fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0), 'socket');
  try {
    check(bind(fd, address, address.length), 'bind', path);
    check(listen(fd, BACKLOG), 'listen', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The next connection (non-blocking, close-on-exec) of this process's own user; undefined when none is waiting. */
export function acceptUnix(listener: number): number | undefined {
  for (;;) {
    let fd;
    try {
      fd = check(accept4(listener, null, null, SOCK_NONBLOCK_CLOEXEC), 'accept4');
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return undefined;
      if (errorCode(error) === 'ECONNABORTED' || errorCode(error) === 'EINTR') continue;
      throw error;
    }
    if (peerUid(fd) === process.getuid!()) return fd;
    closeSync(fd);
  }
}

/** The user at the other end, as the kernel recorded it when the connection was made (SO_PEERCRED). */
export function peerUid(fd: number): number {
  const credentials = Buffer.alloc(UCRED.size);
  const length = Buffer.from(Uint32Array.of(credentials.length).buffer);
  check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), 'getsockopt');
  return credentials.readUInt32LE(UCRED.uid);
}
