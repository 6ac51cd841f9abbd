/** DNS over TCP (RFC 7766): messages with a length of 16 bits before each, several on one connection, answered as they are ready. */
import type { Connection } from '../tcp/connection.ts';
import { STREAM_END } from '../tcp/stream-application.ts';
import type { StreamApplication } from '../tcp/stream-application.ts';

/** Queries in progress, and bytes of answers not sent, of one client. */
const MAX_PENDING = 64;
const MAX_UNSENT = 1 << 20;

export class DnsStream implements StreamApplication {
  readonly #connection: Connection;
  readonly #handle: (query: Uint8Array, respond: (answer: Uint8Array) => void) => boolean;
  #input = new Uint8Array(0);
  #output = new Uint8Array(0);
  #pending = 0;
  #inputEnded = false;
  #closed = false;

  constructor(connection: Connection, handle: (query: Uint8Array, respond: (answer: Uint8Array) => void) => boolean) {
    this.#connection = connection;
    this.#handle = handle;
  }

  established(): void {
    this.#connection.pump();
  }

  receive(bytes: Uint8Array, start: number, length: number): number {
    if (this.#pending >= MAX_PENDING || this.#output.length >= MAX_UNSENT) return 0;
    this.#input = concatenate(this.#input, bytes.subarray(start, start + length));
    this.#takeQueries();
    return length;
  }

  receivedEnd(): void {
    this.#inputEnded = true;
    this.#connection.pump();
  }

  peek(position: number, target: Uint8Array, at: number, length: number): number {
    const part = this.#output.subarray(position, position + length);
    if (part.length === 0) return this.#inputEnded && this.#pending === 0 ? STREAM_END : 0;
    target.set(part, at);
    return part.length;
  }

  acknowledged(count: number): void {
    this.#output = this.#output.slice(count);
    this.#connection.resume();
  }

  closed(): void {
    this.#closed = true;
  }

  #takeQueries(): void {
    while (this.#input.length >= 2) {
      const length = (this.#input[0]! << 8) | this.#input[1]!;
      if (this.#input.length < 2 + length) return;
      const query = this.#input.slice(2, 2 + length);
      this.#input = this.#input.slice(2 + length);
      this.#pending++;
      if (!this.#handle(query, (answer) => this.#answer(answer))) this.#pending--;
    }
  }

  #answer(answer: Uint8Array): void {
    this.#pending--;
    if (this.#closed) return;
    this.#output = concatenate(this.#output, Uint8Array.of(answer.length >> 8, answer.length & 0xff), answer);
    this.#connection.pump();
    this.#connection.resume();
  }
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
