import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { opcodes, type OpcodeName } from '../protocol/opcodes.ts';
import { structs } from '../protocol/structs.ts';
import { errno } from '../sys/errors.ts';
import { viewMemory } from '../sys/memory.ts';
import type { Transport } from '../transport/transport.ts';
import { FileType } from './attributes.ts';
import { NOT_YET, type FileSystem } from './file-system.ts';
import { Session, type ServeOptions } from './session.ts';
import type { TraceRecord } from './trace.ts';

/** A kernel of the test's own: requests go in, replies come out. */
class FakeKernel implements Transport {
  readonly fd = -1;
  readonly replies: Buffer[] = [];
  readonly #requests: Buffer[] = [];
  closed = false;
  sendFile?: NonNullable<Transport['sendFile']>;

  request(message: Buffer): void {
    this.#requests.push(message);
  }

  receive(address: number, size: number): number {
    const message = this.#requests.shift();
    if (message === undefined) return -errno.EAGAIN;
    new Uint8Array(viewMemory(address, size)).set(message);
    return message.length;
  }

  send(address: number, length: number): number {
    this.replies.push(Buffer.from(new Uint8Array(viewMemory(address, length))));
    return length;
  }

  close(): void {
    this.closed = true;
  }
}

function message(name: OpcodeName | number, nodeId: number, ...body: Buffer[]): Buffer {
  const header = Buffer.alloc(structs.inHeader.size);
  const whole = Buffer.concat([header, ...body]);
  whole.writeUInt32LE(whole.length, structs.inHeader.at.len);
  whole.writeUInt32LE(typeof name === 'number' ? name : opcodes[name].number, structs.inHeader.at.opcode);
  whole.writeBigUInt64LE(0x8000000000000042n, structs.inHeader.at.unique);
  whole.writeBigUInt64LE(BigInt(nodeId), structs.inHeader.at.nodeid);
  return whole;
}

const quiet: ServeOptions = { log: () => undefined };

function ask(fs: FileSystem, options: ServeOptions, ...messages: Buffer[]): { error: number; payload: Buffer }[] {
  const kernel = new FakeKernel();
  const session = new Session(kernel, fs, options);
  for (const each of messages) kernel.request(each);
  session.poll(messages.length + 1);
  return kernel.replies.map((reply) => {
    expect(reply.readUInt32LE(0)).toBe(reply.length);
    expect(reply.readBigUInt64LE(8)).toBe(0x8000000000000042n);
    return { error: reply.readInt32LE(4), payload: reply.subarray(16) };
  });
}

const minimal: FileSystem = {
  lookup: () => -errno.ENOENT,
  getattr: (_request, _node, _handle, entry) => {
    entry.attributes.mode = FileType.directory | 0o755;
    return 0;
  },
};

function init(major: number, minor: number, flags: number, flags2: number): Buffer {
  const body = Buffer.alloc(structs.initIn.size);
  body.writeUInt32LE(major, 0);
  body.writeUInt32LE(minor, 4);
  body.writeUInt32LE(131072, 8);
  body.writeUInt32LE(flags >>> 0, 12);
  body.writeUInt32LE(flags2 >>> 0, 16);
  return message('INIT', 0, body);
}

test('INIT takes the smaller version and the features that both sides have', () => {
  let features: ReadonlySet<string> = new Set();
  const fs: FileSystem = {
    ...minimal,
    session: { features: ['CACHE_SYMLINKS', 'WRITEBACK_CACHE', 'PASSTHROUGH'] },
    init: (given) => {
      features = given;
    },
  };
  const all = 0x7fffffff & ~(1 << 16);
  const [reply] = ask(fs, quiet, init(7, 31, all, 1 << 7));
  expect(reply?.error).toBe(0);
  expect(reply?.payload.length).toBe(64);
  expect(reply?.payload.readUInt32LE(4)).toBe(31);
  expect(features.has('CACHE_SYMLINKS')).toBe(true);
  expect(features.has('HAS_RESEND')).toBe(true);
  expect(features.has('WRITEBACK_CACHE')).toBe(false);
  expect(features.has('PASSTHROUGH')).toBe(false);
  expect(features.has('DO_READDIRPLUS')).toBe(false);
  const at = structs.initOut.at;
  expect((reply?.payload.readUInt32LE(at.flags) ?? 0) & (1 << 23)).not.toBe(0);
  expect(reply?.payload.readUInt32LE(at.flags2)).toBe(1 << 7);
  expect(reply?.payload.readUInt32LE(at.max_write)).toBe(1 << 20);
});

test('INIT of another major version', () => {
  expect(ask(minimal, quiet, init(8, 1, 0, 0))[0]).toMatchObject({ error: 0 });
  expect(ask(minimal, quiet, init(6, 1, 0, 0))[0]?.error).toBe(-errno.EPROTO);
  expect(ask(minimal, quiet, init(7, 8, 0, 0))[0]?.error).toBe(-errno.EPROTO);
});

test('what a file system does not have, and what nobody knows, is ENOSYS', () => {
  const open = message('OPEN', 1, Buffer.alloc(8));
  expect(ask(minimal, quiet, open, message(52, 1), message(4000, 1), message('INTERRUPT', 0, Buffer.alloc(8)))).toEqual(
    Array.from({ length: 4 }, () => ({ error: -errno.ENOSYS, payload: Buffer.alloc(0) })),
  );
});

test('an error thrown becomes its errno, anything else EIO and a line in the log', () => {
  const lines: string[] = [];
  const fs: FileSystem = {
    ...minimal,
    lookup: (_request, _parent, name) => {
      if (name.key() === 'system') throw Object.assign(new Error('no'), { errno: -errno.EDQUOT });
      throw new TypeError('a bug');
    },
  };
  const log: ServeOptions = { log: (line) => lines.push(line) };
  const replies = ask(fs, log, message('LOOKUP', 1, Buffer.from('system\0')), message('LOOKUP', 1, Buffer.from('x\0')));
  expect(replies.map(({ error }) => error)).toEqual([-errno.EDQUOT, -errno.EIO]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('LOOKUP failed unexpectedly: TypeError: a bug');
});

test.each([
  ['', errno.EINVAL],
  ['\0', errno.EINVAL],
  ['no-end', errno.EINVAL],
  ['a/b\0', errno.EINVAL],
  ['.\0', errno.EINVAL],
  ['..\0', errno.EINVAL],
  [`${'n'.repeat(256)}\0`, errno.ENAMETOOLONG],
])('refuses the name %j', (name, code) => {
  const fs: FileSystem = {
    ...minimal,
    lookup: () => {
      throw new Error('must not be asked');
    },
  };
  expect(ask(fs, quiet, message('LOOKUP', 1, Buffer.from(name)))[0]?.error).toBe(-code);
});

test('FORGET and BATCH_FORGET are not answered, and never counted beyond the message', () => {
  const forgotten: [number, number][] = [];
  const fs: FileSystem = {
    ...minimal,
    forget: (node, count) => {
      forgotten.push([node, count]);
    },
  };
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(3n);
  const batch = Buffer.alloc(8 + 32);
  batch.writeUInt32LE(1000);
  batch.writeBigUInt64LE(7n, 8);
  batch.writeBigUInt64LE(1n, 16);
  batch.writeBigUInt64LE(8n, 24);
  batch.writeBigUInt64LE(2n, 32);
  expect(ask(fs, quiet, message('FORGET', 5, one), message('BATCH_FORGET', 0, batch))).toEqual([]);
  expect(forgotten).toEqual([
    [5, 3],
    [7, 1],
    [8, 2],
  ]);
});

test('reads go no further than the reply has room, writes no further than the request has data', () => {
  const rooms: number[] = [];
  const fs: FileSystem = {
    ...minimal,
    read: (_request, _node, _handle, _offset, out) => {
      rooms.push(out.length);
      out.buffer.fill(7, out.start, out.start + 4);
      return 4;
    },
    write: (_request, _node, _handle, _offset, data) => data.view().readUInt8(0),
  };
  const read = Buffer.alloc(40);
  read.writeUInt32LE(0xffffffff, structs.readIn.at.size);
  const write = Buffer.alloc(48, 9);
  write.fill(0, 0, 40);
  write.writeUInt32LE(8, structs.writeIn.at.size);
  const long = Buffer.from(write);
  long.writeUInt32LE(9, structs.writeIn.at.size);
  const replies = ask(fs, quiet, message('READ', 2, read), message('WRITE', 2, write), message('WRITE', 2, long));
  expect(rooms).toEqual([1 << 20]);
  expect(replies[0]).toEqual({ error: 0, payload: Buffer.alloc(4, 7) });
  expect(replies[1]?.payload.readUInt32LE(0)).toBe(9);
  expect(replies[2]?.error).toBe(-errno.EINVAL);
});

test('a read may name a file: moved by a transport that can, copied through the room by others', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'fuse-overlay-')), 'file');
  writeFileSync(path, Buffer.from(Array.from({ length: 100_000 }, (_, index) => index & 0xff)));
  const fd = openSync(path, 'r');
  const fs: FileSystem = {
    ...minimal,
    read: (_request, _node, _handle, offset, out) => out.fromFile(fd, offset, Math.min(out.length, 100_000 - offset)),
  };
  const read = Buffer.alloc(40);
  read.writeUInt32LE(65536, structs.readIn.at.size);
  read.writeUInt32LE(40_000, structs.readIn.at.offset);
  const [reply] = ask(fs, quiet, message('READ', 2, read));
  expect(reply?.payload.equals(readFileSync(path).subarray(40_000))).toBe(true);

  const moved: number[][] = [];
  const kernel = new FakeKernel();
  kernel.sendFile = (_header, headerLength, ...rest) => {
    moved.push([headerLength, ...rest]);
    return headerLength + rest[2];
  };
  const session = new Session(kernel, fs, quiet);
  kernel.request(message('READ', 2, read));
  kernel.request(message('GETATTR', 1, Buffer.alloc(16)));
  session.poll(3);
  expect(moved).toEqual([[16, fd, 40_000, 60_000]]);
  expect(kernel.replies).toHaveLength(1);
  closeSync(fd);
  rmSync(dirname(path), { recursive: true });
});

test('directory entries are packed until the room is full, and padded', () => {
  const added: boolean[] = [];
  const fs: FileSystem = {
    ...minimal,
    readdir: (_request, _node, _handle, offset, out) => {
      out.entry.nodeId = 9;
      out.entry.attributes.ino = 77;
      out.entry.attributes.mode = FileType.symlink | 0o777;
      for (const name of ['a', 'bcdefghij']) added.push(out.add(Buffer.from(name), 0, name.length, offset + 5));
      return 0;
    },
  };
  function listing(opcode: OpcodeName, size: number): Buffer {
    const body = Buffer.alloc(40);
    body.writeUInt32LE(size, structs.readIn.at.size);
    return message(opcode, 1, body);
  }
  const [plain, plus] = ask(fs, quiet, listing('READDIR', 40), listing('READDIRPLUS', 4096));
  expect(added).toEqual([true, false, true, true]);
  expect(plain?.payload.length).toBe(32);
  expect(plain?.payload.readBigUInt64LE(0)).toBe(77n);
  expect(plain?.payload.readBigUInt64LE(8)).toBe(5n);
  expect(plain?.payload.readUInt32LE(20)).toBe(10); // DT_LNK
  expect(plain?.payload.subarray(24)).toEqual(Buffer.from('a\0\0\0\0\0\0\0'));
  expect(plus?.payload.length).toBe(160 + 168);
  expect(plus?.payload.readBigUInt64LE(160)).toBe(9n);
  expect(plus?.payload.toString('latin1', 160 + 152, 160 + 161)).toBe('bcdefghij');
});

test('counts, times and traces requests', () => {
  const records: TraceRecord[] = [];
  const kernel = new FakeKernel();
  const session = new Session(kernel, minimal, { ...quiet, trace: (record) => records.push(record) });
  kernel.request(message('LOOKUP', 1, Buffer.from('etc\0')));
  kernel.request(message('GETATTR', 1, Buffer.alloc(16)));
  kernel.request(Buffer.alloc(12));
  expect(session.poll(10)).toBe(3);
  expect(records).toMatchObject([
    { opcode: 'LOOKUP', nodeId: 1, names: ['etc'], result: -errno.ENOENT },
    { opcode: 'GETATTR', nodeId: 1, names: [], result: 104 },
  ]);
  const counts = session.counters.snapshot();
  expect(counts.LOOKUP).toMatchObject({ requests: 1, errors: 1 });
  expect(counts.GETATTR?.histogram.reduce((sum, count) => sum + count)).toBe(1);
  expect(session.counters.total).toBe(2);
  expect(session.counters.malformed).toBe(1);
});

test('a request that has to wait is asked again, and holds up no other', () => {
  const attempts: number[] = [];
  const fs: FileSystem = {
    ...minimal,
    read: (request, node, _handle, _offset, out) => {
      if (node !== 5) return 0;
      attempts.push(request.attempt);
      return request.attempt < 2 ? NOT_YET : out.buffer.write('late', out.start);
    },
  };
  const kernel = new FakeKernel();
  const session = new Session(kernel, fs, quiet);
  const read = Buffer.alloc(40);
  read.writeUInt32LE(4096, structs.readIn.at.size);
  kernel.request(message('READ', 5, read));
  kernel.request(message('GETATTR', 1, Buffer.alloc(16)));
  session.poll(10);
  expect(session.parked).toBe(1);
  expect(kernel.replies.map(({ length }) => length)).toEqual([16 + 104]);
  session.retry();
  kernel.request(message('READ', 6, read));
  session.poll(10);
  expect(kernel.replies).toHaveLength(2);
  session.retry();
  expect([session.parked, attempts]).toEqual([0, [0, 1, 2]]);
  expect(kernel.replies[2]?.toString('latin1', 16)).toBe('late');
  expect(kernel.replies[2]?.readBigUInt64LE(8)).toBe(0x8000000000000042n);
  expect(session.counters.snapshot().READ?.requests).toBe(2);
});

test('DESTROY ends the session and the file system', () => {
  let ended = 0;
  const kernel = new FakeKernel();
  const fs: FileSystem = {
    ...minimal,
    destroy: () => {
      ended++;
    },
  };
  const session = new Session(kernel, fs, { onClose: () => ended++ });
  kernel.request(message('DESTROY', 0));
  session.poll(5);
  session.close();
  expect([ended, session.closed, kernel.closed]).toEqual([2, true, true]);
});

test('a takeover asks for the requests in flight again', () => {
  const kernel = new FakeKernel();
  new Session(kernel, minimal, { takeover: true });
  expect(kernel.replies).toHaveLength(1);
  expect(kernel.replies[0]!.readInt32LE(4)).toBe(7);
  expect(kernel.replies[0]!.readBigUInt64LE(8)).toBe(0n);
});
