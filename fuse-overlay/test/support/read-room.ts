import { NOT_YET, type ReadRoom } from '../../src/index.ts';
import { preadFully } from '../../src/sys/io.ts';

/** Room of `length` bytes at `start` of a buffer, as the server has it for the reply to a READ. */
export function readRoom(memory: { buffer: Buffer; address: number }, start: number, length: number): ReadRoom {
  const { buffer, address } = memory;
  return {
    buffer,
    start,
    length,
    address: address + start,
    view: () => buffer.subarray(start, start + length),
    fromFile: (fd, offset, count) => preadFully(fd, address + start, count, offset),
  };
}

/** Asks until there is an answer, as the server does. */
export function readAtLast(read: (attempt: number) => number): number {
  for (let attempt = 0; ; attempt++) {
    const result = read(attempt);
    if (result !== NOT_YET) return result;
  }
}
