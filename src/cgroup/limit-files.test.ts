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
});

test('controllers that the limits take', () => {
  expect(controllersFor({})).toEqual([]);
  expect(controllersFor({ memory: MB, cpus: 1, pids: 1 })).toEqual(['memory', 'cpu', 'pids']);
});
