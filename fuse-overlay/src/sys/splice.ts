/** Moving data between descriptors without copying it through this process (splice(2)). */
import { bind, check } from './libc.ts';
import { allocate } from './memory.ts';

const c = {
  pipe2: bind('pipe2', 'int', ['pointer', 'int']),
  splice: bind('splice', 'long', ['int', 'pointer', 'int', 'pointer', 'size', 'u32']),
  fcntl: bind('fcntl', 'int', ['int', 'int', 'int']),
};

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

const memory = allocate(16);

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  /** Bytes that it holds when each page is full. */
  readonly capacity: number;
}

/** A pipe of at most `capacity` bytes (less where the system's limit is lower), close-on-exec; or a negative errno. */
export function createPipe(capacity: number): Pipe | number {
  const result = check(c.pipe2(memory.address, O_CLOEXEC | O_NONBLOCK));
  if (result < 0) return result;
  const readEnd = memory.buffer.readInt32LE(0);
  const writeEnd = memory.buffer.readInt32LE(4);
  const set = check(c.fcntl(writeEnd, F_SETPIPE_SZ, capacity));
  return { readEnd, writeEnd, capacity: set > 0 ? set : 65536 };
}

/** Puts pages of a file into a pipe; returns the bytes, perhaps fewer. */
export function spliceFromFile(fd: number, offset: number, pipe: Pipe, length: number): number {
  memory.buffer.writeBigInt64LE(BigInt(offset), 0);
  return check(c.splice(fd, memory.address, pipe.writeEnd, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

/** Writes what a pipe holds to a descriptor. */
export function spliceToFd(pipe: Pipe, fd: number, length: number): number {
  return check(c.splice(pipe.readEnd, 0, fd, 0, length, SPLICE_F_MOVE));
}
