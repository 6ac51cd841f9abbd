/**
 * One end of a bulk transfer, for both sides of the tests: sends `size` bytes of a seeded stream and its FIN, reads what comes until
 * the other's FIN (slowly, with a stall, if asked to), and tells the SHA-256 of it.
 *
 *     stream-peer.ts ADDRESS PORT SIZE [slow]   connects, prints the hash
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../src/link/fault-injector.ts';

const BLOCK = 1 << 16;

/** Block `index` of the stream; the same on both sides. */
function block(index: number): Uint8Array {
  const random = seededRandom(index);
  const words = Uint32Array.from({ length: BLOCK / 4 }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer);
}

export function streamHash(size: number): string {
  const hash = createHash('sha256');
  for (let at = 0, index = 0; at < size; at += BLOCK, index++) hash.update(block(index).subarray(0, size - at));
  return hash.digest('hex');
}

async function send(socket: Socket, size: number): Promise<void> {
  for (let at = 0, index = 0; at < size; at += BLOCK, index++) {
    if (!socket.write(block(index).subarray(0, size - at))) await once(socket, 'drain');
  }
  socket.end();
}

async function receive(socket: Socket, slow: boolean): Promise<string> {
  const hash = createHash('sha256');
  let total = 0;
  for await (const chunk of socket) {
    hash.update(chunk as Uint8Array);
    const before = total;
    total += (chunk as Uint8Array).length;
    if (slow && total >> 22 !== before >> 22) await sleep(100);
    if (slow && before === 0) await sleep(1500);
  }
  return hash.digest('hex');
}

/** Sends and receives at once; the socket must allow half-open. Resolves to the hash of what came. */
export async function exchange(socket: Socket, size: number, slow: boolean): Promise<string> {
  const [, hash] = await Promise.all([send(socket, size), receive(socket, slow)]);
  return hash;
}

if (import.meta.main) {
  const [address, port, size, pace] = process.argv.slice(2);
  const socket = connect({ host: address!, port: Number(port), allowHalfOpen: true });
  process.stdout.write(await exchange(socket, Number(size), pace === 'slow'));
}
