/**
 * The bytes of a host socket that a connection of the stack has not had acknowledged yet.
 *
 * Since Linux 6.9, SO_PEEK_OFF works for TCP: bytes are peeked at straight into the frame, again for a retransmission, and leave the
 * receive queue (recv with MSG_TRUNC, which copies nothing) when the container has acknowledged them. So the retransmission
 * buffer costs nothing, and the peer outside is slowed by its own window. Older kernels get a buffer of ours in between.
 */
import { STREAM_END } from '../tcp/stream-application.ts';
import { ERRNO } from '../sys/errno.ts';
import { addressOf, errno, libc } from '../sys/libc.ts';
import { MESSAGE, SOCKET_OPTION, setOption } from '../sys/socket.ts';

export interface OutgoingBytes {
  /** As StreamApplication.peek; undefined: the socket is broken. */
  peek(position: number, target: Uint8Array, at: number, length: number): number | undefined;
  acknowledged(count: number): void;
  /** Whether the last peek at new bytes found the socket empty behind what it returned: the next edge of epoll tells of more. */
  isDrained(): boolean;
}

/** Picks what the kernel can do. */
export function outgoingBytes(fd: number): OutgoingBytes {
  peekOffsetsWork ??= setOption(fd, SOCKET_OPTION.PEEK_OFF, -1) === 0;
  return peekOffsetsWork ? new PeekedBytes(fd) : new BufferedBytes(fd);
}

let peekOffsetsWork: boolean | undefined;

export class PeekedBytes implements OutgoingBytes {
  #drained = false;
  readonly #fd: number;
  /** The kernel's peek offset; -1: off, peeks start at the first byte. Requests and answers never need it on. */
  #offset = -1;

  constructor(fd: number) {
    this.#fd = fd;
  }

  peek(position: number, target: Uint8Array, at: number, length: number): number | undefined {
    if (position !== this.#offset && (position > 0 || this.#offset > 0)) {
      setOption(this.#fd, SOCKET_OPTION.PEEK_OFF, position);
      this.#offset = position;
    }
    const count = libc.recv(this.#fd, addressOf(target) + at, length, MESSAGE.PEEK | MESSAGE.DONTWAIT);
    this.#drained = count < length;
    if (count > 0) {
      if (this.#offset >= 0) this.#offset += count;
      return count;
    }
    if (count === 0) return STREAM_END;
    return errno() === ERRNO.EAGAIN ? 0 : undefined;
  }

  isDrained(): boolean {
    return this.#drained;
  }

  acknowledged(count: number): void {
    let left = count;
    while (left > 0) {
      const taken = libc.recv(this.#fd, 0, left, MESSAGE.TRUNC | MESSAGE.DONTWAIT);
      if (taken <= 0) break; // reset meanwhile: the next peek tells
      left -= taken;
    }
    // The kernel moves its offset along with what was taken (sk_peek_offset_bwd).
    if (this.#offset >= 0) this.#offset = Math.max(0, this.#offset - count);
  }
}

const CHUNK = 65_536;
/** Read ahead of what was acknowledged, at most. */
const CAPACITY = 1 << 20;

export class BufferedBytes implements OutgoingBytes {
  #drained = false;
  readonly #fd: number;
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were acknowledged. */
  #start = 0;
  #length = 0;
  #ended = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  peek(position: number, target: Uint8Array, at: number, length: number): number | undefined {
    this.#drained = false;
    while (this.#length < Math.min(position + length, CAPACITY) && !this.#ended) {
      if (!this.#read()) return undefined;
      if (this.isDrained()) break;
    }
    if (position >= this.#length) return this.#ended ? STREAM_END : 0;
    let skip = this.#start + position;
    let copied = 0;
    for (const chunk of this.#chunks) {
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = chunk.subarray(skip, skip + length - copied);
      target.set(part, at + copied);
      copied += part.length;
      skip = 0;
      if (copied === length) break;
    }
    return copied;
  }

  isDrained(): boolean {
    return this.#drained;
  }

  acknowledged(count: number): void {
    this.#length -= count;
    this.#start += count;
    let gone = 0;
    while (gone < this.#chunks.length && this.#start >= this.#chunks[gone]!.length) {
      this.#start -= this.#chunks[gone]!.length;
      gone++;
    }
    if (gone > 0) this.#chunks.splice(0, gone);
  }

  /** Reads once; false: the socket is broken. */
  #read(): boolean {
    const chunk = new Uint8Array(CHUNK);
    const count = libc.recv(this.#fd, addressOf(chunk), CHUNK, MESSAGE.DONTWAIT);
    this.#drained = count < CHUNK && count !== 0;
    if (count < 0) return errno() === ERRNO.EAGAIN;
    if (count === 0) {
      this.#ended = true;
      return true;
    }
    this.#chunks.push(count < CHUNK / 2 ? chunk.slice(0, count) : chunk.subarray(0, count));
    this.#length += count;
    return true;
  }
}
