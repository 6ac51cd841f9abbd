/**
 * The C library, as far as this package calls it: the only place that imports koffi.
 *
 * Buffers are passed as plain addresses (a JavaScript number holds 53 bits, user space has 47), because a call with only
 * integer arguments costs 60 ns and converting a typed array costs several times that. Whoever passes an address keeps
 * the buffer reachable: an address does not keep its memory alive.
 */
import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import type koffiModule from 'koffi';

/** koffi's own entry module costs 8-12 ms and 1.2 MB; the addon that it would find exports the same functions. */
function loadKoffi(): typeof koffiModule {
  const require = createRequire(import.meta.filename);
  try {
    const addon = require.resolve(`@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`);
    const loaded = { exports: {} };
    process.dlopen(loaded, addon);
    return loaded.exports as typeof koffiModule;
  } catch {
    // A libc or an architecture of another name: koffi knows where its addon lies.
    return require('koffi') as typeof koffiModule;
  }
}

const koffi = loadKoffi();
const library = koffi.load(null);

type Call = (...args: number[]) => number;

function bind(declaration: string): Call {
  return library.func(declaration);
}

/** Raw calls: result or -1, then see {@link errno}. Pointers and sizes are numbers. */
export const libc = {
  read: bind('long read(int fd, size_t buffer, size_t count)'),
  write: bind('long write(int fd, size_t buffer, size_t count)'),
  close: bind('int close(int fd)'),
  ioctl: bind('int ioctl(int fd, unsigned long request, size_t argument)'),
  fcntl: bind('int fcntl(int fd, int command, size_t argument)'),
  epollCreate: bind('int epoll_create1(int flags)'),
  epollControl: bind('int epoll_ctl(int epoll, int operation, int fd, size_t event)'),
  epollWait: bind('int epoll_wait(int epoll, size_t events, int count, int timeout)'),
  socket: bind('int socket(int domain, int type, int protocol)'),
  bind: bind('int bind(int fd, size_t address, unsigned int length)'),
  listen: bind('int listen(int fd, int backlog)'),
  accept: bind('int accept4(int fd, size_t address, size_t length, int flags)'),
  connect: bind('int connect(int fd, size_t address, unsigned int length)'),
  shutdown: bind('int shutdown(int fd, int how)'),
  send: bind('long send(int fd, size_t buffer, size_t count, int flags)'),
  sendto: bind('long sendto(int fd, size_t buffer, size_t count, int flags, size_t address, unsigned int length)'),
  sendmsg: bind('long sendmsg(int fd, size_t message, int flags)'),
  recv: bind('long recv(int fd, size_t buffer, size_t count, int flags)'),
  recvfrom: bind('long recvfrom(int fd, size_t buffer, size_t count, int flags, size_t address, size_t length)'),
  recvmsg: bind('long recvmsg(int fd, size_t message, int flags)'),
  getsockname: bind('int getsockname(int fd, size_t address, size_t length)'),
  getsockopt: bind('int getsockopt(int fd, int level, int option, size_t value, size_t length)'),
  setsockopt: bind('int setsockopt(int fd, int level, int option, size_t value, unsigned int length)'),
  getrandom: bind('long getrandom(size_t buffer, size_t length, unsigned int flags)'),
  syscall: bind('long syscall(long number, size_t a, size_t b, size_t c)'),
} as const;

const locateErrno = library.func('int *__errno_location()') as () => bigint;
// JavaScript that makes calls stays on one thread, so errno stays at one address.
const errnoCell = new Int32Array(koffi.view(locateErrno(), 4));

/** errno of the last call that returned -1. */
export function errno(): number {
  return errnoCell[0]!;
}

const touch = library.func('size_t memset(_Inout_ void *buffer, int value, size_t count)') as (
  buffer: Uint8Array,
  value: number,
  count: number,
) => number;

const addresses = new WeakMap<Uint8Array, number>();

/** Address of the first byte of `bytes`. Valid for as long as the caller keeps `bytes` reachable. */
export function addressOf(bytes: Uint8Array): number {
  let address = addresses.get(bytes);
  if (address === undefined) {
    address = touch(bytes, 0, 0);
    addresses.set(bytes, address);
  }
  return address;
}

/** An error in Node's shape: `code`, `errno` (negative), `syscall`; the message names action and object. */
export function systemError(syscall: string, action: string, number = errno()): NodeJS.ErrnoException {
  const [code, description] = getSystemErrorMap().get(-number) ?? [`E${number}`, 'unknown error'];
  return Object.assign(new Error(`${action}: ${description} (${code})`), { code, errno: -number, syscall });
}

/** Passes a result through; throws {@link systemError} for -1. */
export function check(result: number, syscall: string, action: string): number {
  if (result < 0) throw systemError(syscall, action);
  return result;
}
