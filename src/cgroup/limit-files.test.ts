import { expect, test } from 'vitest';
import { controllersFor, limitFiles, type CgroupLimits } from './limit-files.ts';

const MB = 2 ** 20;

function written(limits: CgroupLimits): Record<string, string> {
  return Object.fromEntries(limitFiles(limits).map(({ name, value }) => [name, value]));
}

test("Docker's numbers in the files of version 2", () => {
  expect(written({})).toEqual({});
  expect(written({ memory: 64 * MB })).toEqual({ 'memory.max': '67108864', 'memory.swap.max': '67108864' });
  expect(written({ memory: 64 * MB, memorySwap: 100 * MB })['memory.swap.max']).toBe(String(36 * MB));
  expect(written({ memory: 64 * MB, memorySwap: 64 * MB })['memory.swap.max']).toBe('0');
  expect(written({ memory: 64 * MB, memorySwap: -1 })['memory.swap.max']).toBe('max');
  expect(written({ cpus: 1.5 })).toEqual({ 'cpu.max': '150000 100000' });
  expect(written({ cpus: 0.001 })).toEqual({ 'cpu.max': '1000 100000' });
  expect(written({ pids: 20 })).toEqual({ 'pids.max': '20' });
  expect(written({ pids: -1 })).toEqual({ 'pids.max': 'max' });
  expect(written({ memoryReservation: MB })).toEqual({ 'memory.low': '1048576' });
  expect(written({ cpuQuota: 5000, cpuPeriod: 20_000 })).toEqual({ 'cpu.max': '5000 20000' });
  expect(written({ cpuQuota: -1 })).toEqual({ 'cpu.max': 'max 100000' });
  for (const [shares, weight] of [
    [2, 1],
    [1024, 39],
    [262_144, 10_000],
  ] as const) {
    expect(written({ cpuShares: shares })).toEqual({ 'cpu.weight': String(weight) });
  }
  expect(written({ cpusetCpus: '0-1', cpusetMems: '0' })).toEqual({ 'cpuset.cpus': '0-1', 'cpuset.mems': '0' });
  expect(limitFiles({ blkioWeight: 1000 })).toMatchObject([
    { name: 'io.bfq.weight', value: 'default 1000', otherwise: { name: 'io.weight', value: 'default 10000' } },
  ]);
});

test('rates of devices take a block device', () => {
  for (const device of ['/dev/null', '/dev/no-such-disk', '/etc/passwd']) {
    expect(() => limitFiles({ deviceReadBps: [{ device, value: 1 }] })).toThrow(device);
  }
});

test('controllers that the limits take', () => {
  expect(controllersFor({})).toEqual([]);
  expect(controllersFor({ memory: MB, cpus: 1, pids: 1 })).toEqual(['memory', 'cpu', 'pids']);
});
