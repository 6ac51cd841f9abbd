/** A WebSocket server that sends back what it gets (RFC 6455), as far as a client of Node's needs one: no extensions, no fragments. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** RFC 6455, 1.3. */
const HANDSHAKE = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** RFC 6455, 5.2: the first byte's final bit and opcodes, the second's mask bit, and the lengths that announce a longer field. */
const FINAL = 0x80;
const OPCODE = { CLOSE: 8 } as const;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Takes an upgraded connection: for the `upgrade` event of an HTTP server. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key'] ?? ''}${HANDSHAKE}`)
    .digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let received = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (let size = echoFrame(received, socket); size > 0; size = echoFrame(received, socket)) {
      received = received.subarray(size);
    }
  });
}

/** Answers the frame at the beginning, and returns its size; 0 while it is not whole. */
function echoFrame(bytes: Buffer, socket: Duplex): number {
  if (bytes.length < 2) return 0;
  const short = bytes[1]! & ~MASKED;
  const lengthSize = short === LENGTH_16 ? 2 : short === LENGTH_64 ? 8 : 0;
  const maskAt = 2 + lengthSize;
  const start = maskAt + 4;
  if (bytes.length < start) return 0;
  const length = lengthSize === 0 ? short : lengthSize === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + length) return 0;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let index = 0; index < length; index++) payload[index]! ^= bytes[maskAt + (index % 4)]!;
  // A server does not mask, so the same head serves without that bit.
  const head = Buffer.from(bytes.subarray(0, maskAt));
  head[1]! &= ~MASKED;
  socket.write(Buffer.concat([head, payload]));
  if (bytes[0] === (FINAL | OPCODE.CLOSE)) socket.end();
  return start + length;
}
