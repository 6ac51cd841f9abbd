import { describe, expect, it } from 'vitest';
import { IpAddress, Subnet, formatMac, parseMac } from './address.ts';

describe('IpAddress', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['fe80::1.2.3.4', 'fe80::102:304'],
  ])('reads %s and writes %s (RFC 5952)', (text, canonical) => {
    expect(IpAddress.from(text).toString()).toBe(canonical);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '::1%eth0',
    'a.b.c.d',
    '1:2:3:4:5:6:7:8:9',
  ])('refuses %j', (text) => {
    expect(IpAddress.parse(text)).toBeUndefined();
    expect(() => IpAddress.from(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });

  it('knows its kinds', () => {
    expect(IpAddress.from('127.9.9.9').isLoopback).toBe(true);
    expect(IpAddress.from('239.1.1.1').isMulticast).toBe(true);
    expect(IpAddress.from('ff02::1').isMulticast).toBe(true);
    expect(IpAddress.from('fe80::1').isLinkLocal).toBe(true);
    expect(IpAddress.from('::ffff:1.2.3.4').unmapped.toString()).toBe('1.2.3.4');
  });
});

describe('Subnet', () => {
  it.each([
    ['10.88.0.1', 16, '10.88.255.255', '255.255.0.0', '10.88.0.0'],
    ['192.168.1.130', 25, '192.168.1.255', '255.255.255.128', '192.168.1.128'],
    ['1.2.3.4', 32, '1.2.3.4', '255.255.255.255', '1.2.3.4'],
    ['1.2.3.4', 0, '255.255.255.255', '0.0.0.0', '0.0.0.0'],
  ])('%s/%i ends at %s', (address, prefix, broadcast, mask, network) => {
    const subnet = new Subnet(IpAddress.from(address), prefix);
    expect([subnet.broadcast, subnet.mask, subnet.network].map(String)).toEqual([broadcast, mask, network]);
    expect(subnet.contains(subnet.broadcast)).toBe(true);
  });

  it('holds IPv6 by prefix', () => {
    const subnet = new Subnet(IpAddress.from('fd00:1::1'), 72);
    expect(subnet.contains(IpAddress.from('fd00:1::ff:0:0:1'))).toBe(true);
    expect(subnet.contains(IpAddress.from('fd00:1:0:0:100::1'))).toBe(false);
    expect(subnet.contains(IpAddress.from('10.0.0.1'))).toBe(false);
  });

  it('refuses a prefix that does not fit', () => {
    expect(() => new Subnet(IpAddress.from('10.0.0.1'), 33)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

describe('MAC addresses', () => {
  it('reads and writes them', () => {
    expect(formatMac(parseMac('02:aB:00:00:00:01')!)).toBe('02:ab:00:00:00:01');
    expect(parseMac('02:ab:00:00:00')).toBeUndefined();
  });
});
