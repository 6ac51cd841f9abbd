import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../src/link/fault-injector.ts';
import type { WireOptions } from './two-stacks.ts';
import { TestApplication, twoStacks } from './two-stacks.ts';

const OFFLOADS = { checksum: true, tcp4: true, tcp6: true };

function stream(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Transfers both ways at once; returns what it took. */
function transfer(wire: WireOptions, size: number): { time: number; retransmitted: number } {
  const net = twoStacks(wire);
  const client = new TestApplication(stream(size, 1));
  const server = new TestApplication(stream(size / 2, 2));
  net.right.tcp.onConnection = (connection) => {
    server.connection = connection;
    connection.app = server;
    connection.accept();
  };
  net.left.tcp.connect({
    local: net.leftAddress,
    localPort: 4000,
    remote: net.rightAddress,
    remotePort: 80,
    application: (connection) => {
      client.connection = connection;
      return client;
    },
  });
  const done = net.run(() => client.reason !== undefined && server.reason !== undefined);
  expect([done, client.reason, server.reason]).toEqual([true, 'finished', 'finished']);
  expect([client.gotEnd, server.gotEnd]).toEqual([true, true]);
  expect(hash(server.bytes)).toBe(hash(client.outgoing));
  expect(hash(client.bytes)).toBe(hash(server.outgoing));
  expect(net.left.tcp.memory + net.right.tcp.memory).toBe(0);
  return {
    time: net.timers.now,
    retransmitted: net.left.tcp.counters.retransmitted + net.right.tcp.counters.retransmitted,
  };
}

describe('TCP over a link', () => {
  for (const ipv6 of [false, true]) {
    for (const offloads of [undefined, OFFLOADS]) {
      it(`delivers every byte without retransmission when nothing is lost (IPv${ipv6 ? 6 : 4}${offloads ? ', offloads' : ''})`, () => {
        const { retransmitted, time } = transfer({ delay: 1, ipv6, ...(offloads && { offloads }) }, 3_000_000);
        expect(retransmitted).toBe(0);
        expect(time).toBeLessThan(500);
      });
    }
  }

  for (const loss of [0.001, 0.01, 0.05, 0.2]) {
    for (const delay of [0, 5, 50]) {
      for (const sack of [true, false]) {
        it(`survives ${loss * 100} % loss at ${delay} ms ${sack ? 'with' : 'without'} SACK`, () => {
          // A link this bad needs the TIME-WAIT of the Internet: the last acknowledgements may have to be repeated for long.
          transfer(
            { loss, delay, seed: 7 + delay, tcp: { sack, timestamps: sack, timeWaitTime: 120_000 } },
            loss > 0.1 ? 60_000 : 400_000,
          );
        });
      }
    }
  }

  for (let seed = 1; seed <= 12; seed++) {
    it(`survives loss, duplication, reordering and damage together (seed ${seed})`, () => {
      const faults = { loss: 0.02, duplicate: 0.02, reorder: 0.1, corrupt: 0.02, jitter: 8, delay: 2 };
      transfer({ ...faults, seed, ...(seed % 2 === 0 && { offloads: OFFLOADS }), ipv6: seed % 3 === 0 }, 300_000);
    });
  }

  it('finds the peer again after a MAC address was damaged on the way', () => {
    const faults = { loss: 0.0646, duplicate: 0.0215, reorder: 0.1877, jitter: 8.646, delay: 14.258, corrupt: 0.00412 };
    for (const size of [77_500, 85_000, 112_500, 125_000])
      transfer({ ...faults, seed: 279_154_201, tcp: { sack: false, timestamps: false, timeWaitTime: 240_000 } }, size);
  });

  it('survives sixty links of every kind', () => {
    const random = seededRandom(5);
    for (let link = 0; link < 60; link++) {
      const wire: WireOptions = {
        loss: random() * 0.05,
        duplicate: random() * 0.1,
        reorder: random() * 0.3,
        corrupt: random() * 0.01,
        jitter: random() * 20,
        delay: random() * 30,
        seed: link,
        ipv6: random() < 0.3,
        mtu: random() < 0.3 ? 9000 : 1500,
        ...(random() < 0.5 && { offloads: OFFLOADS }),
        tcp: {
          sack: random() < 0.5,
          timestamps: random() < 0.5,
          window: random() < 0.3 ? 20_000 : 1 << 20,
          timeWaitTime: 240_000,
        },
      };
      transfer(wire, 60_000 + Math.floor(random() * 100_000));
    }
  });
});
