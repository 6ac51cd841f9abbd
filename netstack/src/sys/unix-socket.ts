/** Listening unix sockets (unix(7)), non-blocking and close-on-exec: control sockets of processes that run an event loop of ours. */
import { rmSync } from 'node:fs';
import { ERRNO } from './errno.ts';
import { addressOf, check, errno, libc, systemError } from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const BACKLOG = 16;
/** struct sockaddr_un: family u16, path[108], which ends with a NUL. */
const SOCKADDR_UN = { size: 110, family: 0, path: 2, maxPath: 107 } as const;

/** Listens at `path`, in place of what lies there. The caller closes it. Throws Node-shaped errors (ENAMETOOLONG, EACCES…). */
export function listenUnix(path: string): number {
  const action = `Cannot listen at ${path}`;
  const name = new TextEncoder().encode(path);
  if (name.length > SOCKADDR_UN.maxPath) throw systemError('bind', action, ERRNO.ENAMETOOLONG);
  const address = new Uint8Array(SOCKADDR_UN.size);
  new DataView(address.buffer).setUint16(SOCKADDR_UN.family, AF_UNIX, true);
  address.set(name, SOCKADDR_UN.path);
  rmSync(path, { force: true });
  const fd = check(libc.socket(AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), 'socket', action);
  try {
    check(libc.bind(fd, addressOf(address), address.length), 'bind', action);
    check(libc.listen(fd, BACKLOG), 'listen', action);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** The next connection, to be read and written with node:fs; undefined when none waits. The caller closes it. */
export function acceptUnix(listener: number): number | undefined {
  const fd = libc.accept(listener, 0, 0, SOCK_STREAM_NONBLOCK_CLOEXEC & ~1);
  if (fd >= 0) return fd;
  if (errno() === ERRNO.EAGAIN || errno() === ERRNO.ECONNABORTED) return undefined;
  throw systemError('accept', 'Cannot accept a connection');
}
