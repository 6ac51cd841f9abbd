import { expect, test } from 'vitest';
import { cpuMask } from './cpus.ts';

test('a mask of all CPUs, in the kernel’s words of 32 bits', () => {
  expect([1, 2, 8, 31, 32, 33, 64, 72].map(cpuMask)).toEqual([
    '1',
    '3',
    'ff',
    '7fffffff',
    'ffffffff',
    '1,ffffffff',
    'ffffffff,ffffffff',
    'ff,ffffffff,ffffffff',
  ]);
});
