/**
 * Malformed requests: no message may make the session throw, read beyond the message, or answer with anything but one
 * well-formed reply (or none, where the kernel expects none or the header is unusable).
 */
import { expect, test } from 'vitest';
import { opcodeLimit, opcodes, opcodeName } from '../protocol/opcodes.ts';
import { structs } from '../protocol/structs.ts';
import { errno } from '../sys/errors.ts';
import { viewMemory } from '../sys/memory.ts';
import type { Transport } from '../transport/transport.ts';
import type { Bytes, FileSystem } from './file-system.ts';
import type { Name } from './name.ts';
import { Session } from './session.ts';

/** xorshift32: the seed is printed with a failure and makes it happen again. */
function randomSource(seed: number): (limit: number) => number {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0xffffffff);
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 10_000);

/** Looks at everything it is given, as a careless file system would. */
function touchy(check: (condition: boolean) => void): FileSystem {
  function name(given: Name): number {
    check(given.length >= 1 && given.length <= 4095 && !given.key().includes('\0'));
    return 0;
  }
  function bytes(given: Bytes): number {
    check(given.length >= 0 && given.start >= 0 && given.start + given.length <= given.buffer.length);
    return given.view().length === given.length ? 0 : -1;
  }
  return {
    lookup: (_r, _p, given) => name(given),
    getattr: () => 0,
    setattr: () => 0,
    forget: () => undefined,
    readlink: (_r, _n, out) => bytes(out),
    symlink: (_r, _p, given, target) => name(given) + (target.length > 0 ? 0 : -errno.EIO),
    mknod: (_r, _p, given) => name(given),
    mkdir: (_r, _p, given) => name(given),
    unlink: (_r, _p, given) => name(given),
    rmdir: (_r, _p, given) => name(given),
    rename: (_r, _p, from, _q, to) => name(from) + name(to),
    link: (_r, _n, _p, given) => name(given),
    open: () => 0,
    read: (_r, _n, _h, _o, out) => bytes(out),
    write: (_r, _n, _h, _o, data) => bytes(data),
    flush: () => 0,
    release: () => 0,
    fsync: () => 0,
    opendir: () => 0,
    readdir: (_r, _n, _h, _o, out) => {
      for (let left = 200; left > 0 && out.add(Buffer.from('name'), 0, 4, 1); left--);
      return 0;
    },
    statfs: () => 0,
    setxattr: (_r, _n, given, value) => name(given) + (value.length <= 1 << 20 ? 0 : -errno.EIO),
    getxattr: (_r, _n, given, out) => name(given) + bytes(out),
    listxattr: (_r, _n, out) => bytes(out),
    removexattr: (_r, _n, given) => name(given),
    access: () => 0,
    create: (_r, _p, given) => name(given),
    tmpfile: () => 0,
    getlk: () => 0,
    setlk: () => 0,
    poll: () => 0,
    fallocate: () => 0,
    lseek: () => 0,
    copyFileRange: () => 0,
    ioctl: (_r, _n, _h, _c, input, out) => bytes(out) + (input.length <= 1 << 20 ? 0 : -errno.EIO),
    syncfs: () => 0,
  };
}

class Sink implements Transport {
  readonly fd = -1;
  readonly replies: Buffer[] = [];
  next: Buffer = Buffer.alloc(0);

  receive(address: number, size: number): number {
    if (this.next.length === 0) return -errno.EAGAIN;
    // Whatever the buffer held before lies behind the message, as with a real one.
    new Uint8Array(viewMemory(address, size)).set(this.next);
    const { length } = this.next;
    this.next = Buffer.alloc(0);
    return length;
  }

  send(address: number, length: number): number {
    this.replies.push(Buffer.from(new Uint8Array(viewMemory(address, length))));
    return length;
  }

  close(): void {
    // Nothing to close.
  }
}

test(`survives ${rounds} malformed requests (FUZZ_SEED=${seed})`, () => {
  const random = randomSource(seed);
  const insane: number[] = [];
  let current = 0;
  const fs = touchy((condition) => {
    if (!condition) insane.push(current);
  });
  let sink = new Sink();
  let crashes = 0;
  let session = new Session(sink, fs, { log: () => undefined });
  for (let round = 0; round < rounds; round++) {
    const length = structs.inHeader.size + random(random(4) === 0 ? 5000 : 120);
    const whole = Buffer.alloc(length);
    const dense = random(3);
    for (let at = structs.inHeader.size; at < length; at++) {
      whole[at] = dense === 0 ? random(256) : dense === 1 && random(4) === 0 ? random(256) : random(12) === 0 ? 97 : 0;
    }
    const opcode = random(50) === 0 ? random(0x7fffffff) : random(opcodeLimit + 3);
    whole.writeUInt32LE(random(40) === 0 ? random(6000) : length, structs.inHeader.at.len);
    whole.writeUInt32LE(opcode, structs.inHeader.at.opcode);
    whole.writeUInt32LE(round, structs.inHeader.at.unique);
    whole.writeUInt32LE(random(20), structs.inHeader.at.nodeid);
    whole.writeUInt32LE(random(60) === 0 ? random(0x10000) : 0, structs.inHeader.at.extlen);
    sink.next = random(200) === 0 ? whole.subarray(0, 1 + random(40)) : whole;

    current = round;
    session.poll(1);
    const { replies } = sink;
    const known = opcodeName(opcode);
    const silent = known !== undefined && 'noReply' in opcodes[known];
    if (replies.length > 1 || (silent && replies.length > 0)) expect({ round, opcode, replies }).toBeUndefined();
    const reply = replies.pop();
    if (reply) {
      const error = reply.readInt32LE(4);
      const bad =
        reply.readUInt32LE(0) !== reply.length || reply.readUInt32LE(8) !== round || error > 0 || error < -4095;
      if (bad || (error < 0 && reply.length > 16)) expect({ round, opcode, error }).toBeUndefined();
    }
    crashes += session.counters.crashes;
    if (session.closed) {
      sink = new Sink();
      session = new Session(sink, fs, { log: () => undefined });
    }
  }
  expect(insane).toEqual([]);
  expect(crashes).toBe(0);
});
