import { expect, test } from 'vitest';
import {
  contains,
  formatAddress,
  formatMac,
  formatSubnet,
  lastAddress,
  macOfAddress,
  overlaps,
  parseAddress,
  parseMac,
  parseSubnet,
} from './ipv4.ts';

test.each(['0.0.0.0', '10.88.0.1', '255.255.255.255', '192.168.100.200'])('%s is read and written', (text) => {
  expect(formatAddress(parseAddress(text)!)).toBe(text);
});

test.each(['', '1.2.3', '1.2.3.4.', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', '1..2.3', '-1.2.3.4'])(
  '%j is no address',
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test('a subnet loses its host bits', () => {
  expect(formatSubnet(parseSubnet('10.88.3.4/16')!)).toBe('10.88.0.0/16');
  expect(formatSubnet(parseSubnet('200.1.2.3/0')!)).toBe('0.0.0.0/0');
  expect(formatSubnet(parseSubnet('200.1.2.3/32')!)).toBe('200.1.2.3/32');
});

test.each(['10.88.0.0', '10.88.0.0/33', '10.88.0.0/-1', '10.88.0/16', '10.88.0.0/16/1'])('%j is no subnet', (text) => {
  expect(parseSubnet(text)).toBeUndefined();
});

test('contains and overlaps at the edges, above 2^31 too', () => {
  const subnet = parseSubnet('192.168.4.0/22')!;
  function at(text: string): boolean {
    return contains(subnet, parseAddress(text)!);
  }
  expect([at('192.168.3.255'), at('192.168.4.0'), at('192.168.7.255'), at('192.168.8.0')]).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(formatAddress(lastAddress(subnet))).toBe('192.168.7.255');
  expect(overlaps(subnet, parseSubnet('192.168.0.0/16')!)).toBe(true);
  expect(overlaps(parseSubnet('192.168.0.0/16')!, subnet)).toBe(true);
  expect(overlaps(subnet, parseSubnet('192.168.8.0/22')!)).toBe(false);
});

test('hardware addresses', () => {
  expect(formatMac(macOfAddress(parseAddress('10.88.0.2')!))).toBe('02:42:0a:58:00:02');
  expect(formatMac(parseMac('02:42:0A:58:00:ff')!)).toBe('02:42:0a:58:00:ff');
  expect(parseMac('01:00:5e:00:00:01')).toBeUndefined();
  expect(parseMac('00:00:00:00:00:00')).toBeUndefined();
  expect(parseMac('02:42:0a:58:00')).toBeUndefined();
});
