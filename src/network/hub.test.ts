import { expect, test } from 'vitest';
import { Hub } from './hub.ts';

function hub(code: string): Hub {
  return new Hub({
    id: 'a',
    pid: 1,
    take: () => {
      throw Object.assign(new Error(code), { code });
    },
  });
}

test('a host without /dev/net/tun is told what does without', () => {
  expect(() => hub('EBADF').takeTun()).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      message: 'Cannot use the network: /dev/net/tun cannot be opened; --network host and none do without',
    }),
  );
  expect(() => hub('EPERM').takeTun()).toThrow('EPERM');
});
