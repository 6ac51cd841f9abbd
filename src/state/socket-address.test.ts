import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { socketAddress } from './socket-address.ts';

test('a short path is its own address', () => {
  using address = socketAddress('/run/x.sock');
  expect(address.path).toBe('/run/x.sock');
});

test('a socket in a folder with a path too long for it is reached', async () => {
  const top = mkdtempSync(join(tmpdir(), 'trun-address-'));
  const folder = join(top, 'é'.repeat(60), 'x'.repeat(100));
  mkdirSync(folder, { recursive: true });
  using address = socketAddress(join(folder, 'a.sock'));
  const server = createServer((socket) => socket.end('here'));
  try {
    server.listen(address.path);
    await once(server, 'listening');
    using again = socketAddress(join(folder, 'a.sock'));
    const socket = connect(again.path);
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toBe('here');
    socket.destroy();
  } finally {
    server.close();
    rmSync(top, { recursive: true });
  }
});
