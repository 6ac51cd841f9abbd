import { expect, test } from 'vitest';
import { parseMode } from './file-mode.ts';

test.each([
  ['644', 0o755, false, 0o644],
  ['0755', 0o600, true, 0o755],
  ['4755', 0o600, false, 0o4755],
  ['u+x', 0o644, false, 0o744],
  ['+x', 0o644, false, 0o755],
  ['a-w', 0o666, false, 0o444],
  ['go=', 0o755, false, 0o700],
  ['u=rw,go=r', 0o777, false, 0o644],
  ['a=rX', 0o640, false, 0o444],
  ['a=rX', 0o640, true, 0o555],
  ['a=rX', 0o740, false, 0o555],
  ['u+s', 0o755, false, 0o4755],
  ['g+s', 0o755, true, 0o2755],
  ['o+t', 0o777, true, 0o1777],
  ['u+w-x', 0o555, false, 0o655],
])('%s on %o', (text, before, isFolder, after) => {
  expect(parseMode(text)(before, isFolder)).toBe(after);
});

test.each(['', '8', '77777', 'x', 'u~x', 'u+q'])('%j is no mode', (text) => {
  expect(() => parseMode(text)).toThrow('invalid chmod parameter');
});
