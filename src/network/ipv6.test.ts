import { expect, test } from 'vitest';
import {
  address6Bytes,
  contains6,
  formatAddress6,
  formatSubnet6,
  overlaps6,
  parseAddress6,
  parseSubnet6,
} from './ipv6.ts';

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['fd00::', 'fd00::'],
  ['FD00:0:0:1::2', 'fd00:0:0:1::2'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['::ffff:1.2.3.4', '::ffff:102:304'],
])('%s is written %s', (text, canonical) => {
  expect(formatAddress6(parseAddress6(text)!)).toBe(canonical);
});

test.each(['', ':', '1.2.3.4', 'fe80::1%eth0', '1::2::3', '12345::'])('%j is no address', (text) => {
  expect(parseAddress6(text)).toBeUndefined();
});

test('bytes are in network order', () => {
  expect([...address6Bytes(parseAddress6('fd00::102')!)]).toEqual([0xfd, ...Array<number>(13).fill(0), 1, 2]);
});

test('subnets', () => {
  const subnet = parseSubnet6('fd00:1::5/64')!;
  expect(formatSubnet6(subnet)).toBe('fd00:1::/64');
  expect(contains6(subnet, parseAddress6('fd00:1::ffff')!)).toBe(true);
  expect(contains6(subnet, parseAddress6('fd00:1:0:1::')!)).toBe(false);
  expect(overlaps6(subnet, parseSubnet6('fd00::/16')!)).toBe(true);
  expect(overlaps6(subnet, parseSubnet6('fd00:2::/64')!)).toBe(false);
  expect(['fd00::/129', 'fd00::', '10.0.0.0/8', '/64'].map(parseSubnet6)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
