import { expect, test } from 'vitest';
import { parseRestart } from '../oci/options/restart.ts';
import { restartDelay, restartsAfter, restartsAtBoot } from './restart-policy.ts';

const ended = { exitCode: 1, isStopped: false, restarts: 0 };

test.each([
  ['no', ended, false, false],
  ['always', ended, true, true],
  ['always', { ...ended, exitCode: 0 }, true, true],
  ['always', { ...ended, isStopped: true }, false, true],
  ['unless-stopped', ended, true, true],
  ['unless-stopped', { ...ended, isStopped: true }, false, false],
  ['on-failure', ended, true, true],
  ['on-failure', { ...ended, exitCode: 0 }, false, false],
  ['on-failure:2', { ...ended, restarts: 1 }, true, true],
  ['on-failure:2', { ...ended, restarts: 2 }, false, false],
  ['on-failure', { ...ended, restarts: 100 }, true, true],
] as const)('%s after %j', (policy, outcome, now, atBoot) => {
  expect(restartsAfter(parseRestart(policy), outcome)).toBe(now);
  expect(restartsAtBoot(parseRestart(policy), outcome)).toBe(atBoot);
});

test('without a policy nothing is restarted', () => {
  expect(restartsAfter(undefined, ended)).toBe(false);
  expect(restartsAtBoot(undefined, ended)).toBe(false);
});

test('waits double from 100 ms to a minute, and begin anew after ten seconds of running', () => {
  const waits = [];
  let wait: number | undefined;
  for (let i = 0; i < 12; i++) waits.push((wait = restartDelay(wait, 50)));
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  expect(restartDelay(60_000, 10_000)).toBe(100);
  expect(restartDelay(400, 9999)).toBe(800);
});
