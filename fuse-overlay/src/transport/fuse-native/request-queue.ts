/** A transport whose requests come from this process itself: they go through a queue, and each reply settles a promise. */
import { opcodes, type OpcodeName } from '../../protocol/opcodes.ts';
import { structs } from '../../protocol/structs.ts';
import { createEventFd } from '../../sys/epoll.ts';
import { checked, errno } from '../../sys/errors.ts';
import { close, setNonblocking } from '../../sys/files.ts';
import { readFd, writeFd } from '../../sys/io.ts';
import { allocate, viewMemory } from '../../sys/memory.ts';
import type { Transport } from '../transport.ts';

const { inHeader, outHeader } = structs;

export interface Reply {
  /** 0 or a negative errno. */
  readonly error: number;
  readonly payload: Buffer;
}

export class RequestQueue implements Transport {
  readonly fd: number;
  readonly #requests: Buffer[] = [];
  readonly #waiting = new Map<bigint, (reply: Reply) => void>();
  readonly #word = allocate(8);
  #unique = 0n;
  #ended = false;

  constructor() {
    this.fd = checked(createEventFd(), 'eventfd', 'create a wake-up descriptor');
    setNonblocking(this.fd);
  }

  /** Has the request served. The owner of what it makes is this process's user: nothing says who asks. */
  request(opcode: OpcodeName, nodeId: number, ...body: readonly Buffer[]): Promise<Reply> {
    const message = Buffer.concat([Buffer.alloc(inHeader.size), ...body]);
    const unique = (this.#unique += 2n);
    message.writeUInt32LE(message.length, inHeader.at.len);
    message.writeUInt32LE(opcodes[opcode].number, inHeader.at.opcode);
    message.writeBigUInt64LE(unique, inHeader.at.unique);
    message.writeBigUInt64LE(BigInt(nodeId), inHeader.at.nodeid);
    message.writeUInt32LE(process.getuid?.() ?? 0, inHeader.at.uid);
    message.writeUInt32LE(process.getgid?.() ?? 0, inHeader.at.gid);
    this.#requests.push(message);
    this.#ring();
    if ('noReply' in opcodes[opcode]) return Promise.resolve({ error: 0, payload: Buffer.alloc(0) });
    return new Promise((resolve) => this.#waiting.set(unique, resolve));
  }

  /** The mount is gone: the session ends. */
  end(): void {
    this.#ended = true;
    this.#ring();
  }

  receive(address: number, size: number): number {
    const message = this.#requests.shift();
    if (message) {
      if (message.length > size) return -errno.EINVAL;
      new Uint8Array(viewMemory(address, size)).set(message);
      return message.length;
    }
    readFd(this.fd, this.#word.address, 8);
    return this.#ended ? -errno.ENODEV : -errno.EAGAIN;
  }

  send(address: number, length: number): number {
    const message = Buffer.from(new Uint8Array(viewMemory(address, length)));
    const unique = message.readBigUInt64LE(outHeader.at.unique);
    const settle = this.#waiting.get(unique);
    // A notification, for which there is no kernel that remembers anything.
    if (!settle) return -errno.ENOENT;
    this.#waiting.delete(unique);
    settle({ error: message.readInt32LE(outHeader.at.error), payload: message.subarray(outHeader.size) });
    return length;
  }

  close(): void {
    for (const settle of this.#waiting.values()) settle({ error: -errno.EIO, payload: Buffer.alloc(0) });
    this.#waiting.clear();
    close(this.fd);
  }

  #ring(): void {
    this.#word.buffer.writeBigUInt64LE(1n);
    writeFd(this.fd, this.#word.address, 8);
  }
}
