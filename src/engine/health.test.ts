import { expect, test } from 'vitest';
import { resolveHealthCheck } from '../oci/options/health.ts';
import { afterProbe, type Health, NEW_HEALTH, probeInterval } from './health.ts';

const check = resolveHealthCheck(
  { Test: ['CMD-SHELL', 'x'], Retries: 2, StartPeriod: 60e9, Interval: 30e9 },
  undefined,
)!;

function probe(health: Health, exitCode: number, age: number): Health {
  return afterProbe(health, { start: '', end: '', exitCode, output: '' }, check, age);
}

test('a success makes it healthy, so many failures in a row unhealthy, a success well again', () => {
  let health = probe(NEW_HEALTH, 0, 1000);
  expect(health).toMatchObject({ status: 'healthy', failingStreak: 0 });
  health = probe(health, 1, 2000);
  expect(health).toMatchObject({ status: 'healthy', failingStreak: 1 });
  health = probe(health, 1, 3000);
  expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
  expect(probe(health, 0, 4000)).toMatchObject({ status: 'healthy', failingStreak: 0 });
});

test('failures within the start period do not count, and probes come oftener', () => {
  let health = NEW_HEALTH;
  expect(probeInterval(health, check, 0)).toBe(5000);
  for (let i = 0; i < 9; i++) health = probe(health, 1, 1000 * i);
  expect(health).toMatchObject({ status: 'starting', failingStreak: 0 });
  expect(health.log).toHaveLength(5);
  expect(probeInterval(health, check, 60_000)).toBe(30_000);
  health = probe(probe(health, 1, 60_000), -1, 90_000);
  expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
});

test("options go over the image's, and NONE and --no-healthcheck take it away", () => {
  const image = { Test: ['CMD', 'probe'], Interval: 5e9, Retries: 7 };
  expect(resolveHealthCheck({ Interval: 1e9 }, image)).toMatchObject({
    test: ['CMD', 'probe'],
    interval: 1000,
    retries: 7,
  });
  expect(resolveHealthCheck({ Test: ['CMD-SHELL', 'y'] }, image)).toMatchObject({
    test: ['CMD-SHELL', 'y'],
    interval: 5000,
  });
  expect(resolveHealthCheck('none', image)).toBeUndefined();
  expect(resolveHealthCheck(undefined, { Test: ['NONE'] })).toBeUndefined();
  expect(resolveHealthCheck({ Interval: 1e9 }, undefined)).toBeUndefined();
  expect(() => resolveHealthCheck(undefined, { Test: ['WHAT', 'x'] })).toThrow('Unknown healthcheck type: WHAT');
});
