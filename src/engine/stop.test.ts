import { expect, test } from 'vitest';
import { signalNumber } from './stop.ts';

test.each([
  ['TERM', 15],
  ['SIGTERM', 15],
  ['sigkill', 9],
  ['15', 15],
  ['64', 64],
  ['RTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
])('%s is signal %i', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

test.each(['', '0', '65', '-1', '1.5', 'SIG', 'NOPE', 'RTMIN+31', 'RTMIN-1', 'toString'])('%j is none', (text) => {
  expect(() => signalNumber(text)).toThrow(`Invalid signal: ${text}`);
});
