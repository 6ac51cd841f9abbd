import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestApplication, twoStacks } from '../../test/two-stacks.ts';
import { EventLoop } from './event-loop.ts';
import { TcpForwarder } from './forward-tcp.ts';
import { HostTrouble } from './host-trouble.ts';
import { Translation } from './translation.ts';

const SIZE = 10_000_000;

describe('a download through the gateway', () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    // Kept open, as by a server that waits for the next request: no end of the stream tells that there was more to read.
    socket.write(Buffer.alloc(SIZE));
  });
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => server.close());

  for (let seed = 1; seed <= 6; seed++) {
    it(`goes on when frames overtake each other or are lost (seed ${seed})`, async () => {
      const loop = new EventLoop();
      const net = twoStacks({
        timers: loop.timers,
        delay: 0.05,
        reorder: 0.05,
        jitter: 1,
        loss: 0.005,
        seed,
        offloads: { checksum: true, tcp4: true, tcp6: true },
      });
      const trouble = new HostTrouble(loop.timers, net.left.drops, () => undefined);
      const forwarder = new TcpForwarder(loop, new Translation(net.left, true), trouble);
      net.left.tcp.onConnection = (connection) => forwarder.forward(connection);
      loop.afterEvents(() => {
        net.left.flush();
        net.right.flush();
      });
      const client = new TestApplication();
      client.ends = false;
      const connection = net.right.tcp.connect({
        local: net.rightAddress,
        localPort: 4000,
        remote: net.leftAddress,
        remotePort: (server.address() as AddressInfo).port,
        application: () => client,
      });
      let heard = performance.now();
      let bytes = 0;
      while (client.receivedBytes < SIZE && performance.now() - heard < 1500) {
        loop.runOnce(0);
        await setImmediate();
        if (client.receivedBytes > bytes) heard = performance.now();
        bytes = client.receivedBytes;
      }
      expect(client.receivedBytes).toBe(SIZE);
      connection?.abort();
      for (let round = 0; round < 20; round++) loop.runOnce(1);
      expect(net.left.tcp.size).toBe(0);
    });
  }
});
