import { native } from './koffi.ts';
import { AF_UNIX, O, SOCK } from './linux-constants.ts';
import { check } from './system-error.ts';

const pipe2 = native('pipe2', 'int', ['void *', 'int']);
const socketpair = native('socketpair', 'int', ['int', 'int', 'int', 'void *']);

/** pipe2(2), close-on-exec. The caller closes both. */
export function makePipe(): [read: number, write: number] {
  const ends = Buffer.alloc(8);
  check(pipe2(ends, O.CLOEXEC), 'pipe2');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}

/** socketpair(2) of stream sockets, close-on-exec. The caller closes both. */
export function makeSocketPair(): [number, number] {
  const ends = Buffer.alloc(8);
  check(socketpair(AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0, ends), 'socketpair');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}
