import { expect, test } from 'vitest';
import type { Container } from '../../engine/container.ts';
import type { ContainerStats } from '../../engine/container-stats.ts';
import { statsRow } from './stats-row.ts';

const container = { config: { id: 'ab'.repeat(32), name: 'box' } } as Container;
const first: ContainerStats = {
  time: 1000,
  cpu: 1,
  memory: 0,
  memoryLimit: 1 << 30,
  network: { received: 0, sent: 0 },
  block: { read: 0, written: 0 },
  pids: 1,
};

test("Docker's figures and units", () => {
  const now = {
    ...first,
    time: 3000,
    cpu: 4,
    memory: 256 << 20,
    network: { received: 1500, sent: 20 },
    block: { read: 4_100_000, written: 0 },
    pids: 7,
  };
  expect(statsRow(container, first, now)).toEqual({
    BlockIO: '4.1MB / 0B',
    CPUPerc: '150.00%',
    Container: 'abababababab',
    ID: 'abababababab',
    MemPerc: '25.00%',
    MemUsage: '256MiB / 1GiB',
    Name: 'box',
    NetIO: '1.5kB / 20B',
    PIDs: '7',
  });
});

test('nothing of a container that does not run, and no rate without an earlier look', () => {
  expect(statsRow(container, undefined, undefined)).toMatchObject({ CPUPerc: '0.00%', MemUsage: '0B / 0B', PIDs: '0' });
  expect(statsRow(container, undefined, first)).toMatchObject({ CPUPerc: '0.00%' });
  // Processes have ended: the sum of those left is less.
  expect(statsRow(container, { ...first, cpu: 9 }, { ...first, time: 2000 })).toMatchObject({ CPUPerc: '0.00%' });
});
