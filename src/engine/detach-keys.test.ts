import { expect, test } from 'vitest';
import { DetachKeys } from './detach-keys.ts';

function feed(keys: DetachKeys, ...inputs: string[]): string[] {
  return inputs.map((input) => {
    const { pass, detached } = keys.feed(Buffer.from(input, 'latin1'));
    return `${pass.toString('latin1')}${detached ? '!' : ''}`;
  });
}

test('the default is ctrl-p ctrl-q, in one piece or two', () => {
  expect(feed(new DetachKeys(), 'ls\x10\x11rest')).toEqual(['ls!']);
  expect(feed(new DetachKeys(), 'ls\x10', '\x11')).toEqual(['ls', '!']);
});

test('a beginning that was none goes on to the container', () => {
  expect(feed(new DetachKeys(), '\x10', 'x')).toEqual(['', '\x10x']);
  expect(feed(new DetachKeys(), '\x10\x10\x11')).toEqual(['\x10!']);
  expect(feed(new DetachKeys('a,b,c'), 'ab', 'abc')).toEqual(['', 'ab!']);
});

test('keys are letters and ctrl-X', () => {
  expect(feed(new DetachKeys('ctrl-A,q'), '\x01q')).toEqual(['!']);
  expect(feed(new DetachKeys('ctrl-@'), '\0')).toEqual(['!']);
  for (const text of ['ctrl-1', 'ab', 'é', 'a,,b']) expect(() => new DetachKeys(text)).toThrow('invalid detach keys');
});
