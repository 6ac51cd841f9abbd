import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STREAM_END } from '../tcp/stream-application.ts';
import { libc } from '../sys/libc.ts';
import { SOCKET_OPTION, connectSocket, setOption, tcpSocket } from '../sys/socket.ts';
import { IpAddress } from '../wire/address.ts';
import { BufferedBytes, PeekedBytes } from './outgoing-bytes.ts';
import type { OutgoingBytes } from './outgoing-bytes.ts';

const probe = tcpSocket(4);
const peekOffsets = setOption(probe, SOCKET_OPTION.PEEK_OFF, -1) === 0;
libc.close(probe);

const kinds: [string, (fd: number) => OutgoingBytes, boolean][] = [
  ['PeekedBytes', (fd) => new PeekedBytes(fd), peekOffsets],
  ['BufferedBytes', (fd) => new BufferedBytes(fd), true],
];

describe.each(kinds)('%s', (_, make, supported) => {
  let fd: number;
  let peer: Socket;
  let bytes: OutgoingBytes;
  const server = createServer();

  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    fd = tcpSocket(4);
    connectSocket(fd, { address: IpAddress.from('127.0.0.1'), port: (server.address() as AddressInfo).port });
    [peer] = (await once(server, 'connection')) as [Socket];
    bytes = make(fd);
  });
  afterEach(() => {
    libc.close(fd);
    peer.destroy();
    server.close();
  });

  /** Waits until a peek at `position` gives something. */
  async function peek(position: number, length: number): Promise<string | number | undefined> {
    const target = new Uint8Array(100_000);
    for (let attempt = 0; attempt < 200; attempt++) {
      const count = bytes.peek(position, target, 7, length);
      if (count === undefined || count < 0) return count;
      if (count > 0) return Buffer.from(target.subarray(7, 7 + count)).toString();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return 0;
  }

  it.skipIf(!supported)('gives bytes again until they are acknowledged, and the end after the last', async () => {
    expect([bytes.peek(0, new Uint8Array(10), 0, 10), bytes.isDrained()]).toEqual([0, true]);
    peer.write('abcdefghij');
    expect(await peek(0, 4)).toBe('abcd');
    expect(bytes.peek(4, new Uint8Array(10), 0, 3)).toBe(3);
    expect(await peek(0, 10)).toBe('abcdefghij');
    expect(await peek(2, 3)).toBe('cde');
    bytes.acknowledged(3);
    expect(await peek(0, 3)).toBe('def');
    expect(await peek(3, 100)).toBe('ghij');
    peer.end('kl');
    expect(await peek(7, 100)).toBe('kl');
    expect(await peek(9, 100)).toBe(STREAM_END);
    expect(await peek(0, 100)).toBe('defghijkl');
    bytes.acknowledged(9);
    expect(await peek(0, 100)).toBe(STREAM_END);
  });

  it.skipIf(!supported)('carries megabytes in order, acknowledged in other pieces than read', async () => {
    const stream = Buffer.from(Array.from({ length: 3_000_000 }, (_unused, index) => 97 + (index % 23)));
    peer.end(stream);
    const target = new Uint8Array(65_000);
    let next = 0;
    let position = 0;
    for (;;) {
      const count = bytes.peek(position, target, 0, target.length);
      if (count === undefined || count < 0) break;
      expect(stream.compare(target, 0, count, next, next + count)).toBe(0);
      next += count;
      position += count;
      // A few unread bytes pin the kernel's whole buffer of them and can close the window: when nothing comes, let go of all.
      const gone = count === 0 ? position : Math.min(position, 40_000);
      bytes.acknowledged(gone);
      position -= gone;
      if (count === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(next).toBe(stream.length);
  });

  it.skipIf(!supported)('tells of a reset', async () => {
    peer.resetAndDestroy();
    expect(await peek(0, 10)).toBeUndefined();
  });
});
