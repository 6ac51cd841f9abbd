import { expect, test } from 'vitest';
import { AddressPool, requestedAddress } from './address-pool.ts';
import { formatAddress, parseAddress, parseSubnet } from './ipv4.ts';

function pool(subnet = '10.88.0.0/29', gateway = '10.88.0.1'): AddressPool {
  return new AddressPool(parseSubnet(subnet)!, parseAddress(gateway)!);
}

function acquire(from: AddressPool, container: string, wanted?: string): string {
  return formatAddress(from.acquire(container, requestedAddress(wanted)).address);
}

test('the lowest free address, never the gateway, the subnet’s own or broadcast', () => {
  const leases = pool();
  expect(['a', 'b', 'c', 'd', 'e'].map((name) => acquire(leases, name))).toEqual([
    '10.88.0.2',
    '10.88.0.3',
    '10.88.0.4',
    '10.88.0.5',
    '10.88.0.6',
  ]);
  expect(() => acquire(leases, 'f')).toThrow('no available IPv4 addresses');
  leases.forget('c');
  expect(acquire(leases, 'f')).toBe('10.88.0.4');
});

test('a stopped container comes back under its address', () => {
  const leases = pool();
  acquire(leases, 'a');
  acquire(leases, 'b');
  leases.release('a');
  expect(acquire(leases, 'c')).toBe('10.88.0.4');
  expect(acquire(leases, 'a')).toBe('10.88.0.2');
});

test('when the subnet has run out, a stopped container gives its address up', () => {
  const leases = pool();
  for (const name of ['a', 'b', 'c', 'd', 'e']) acquire(leases, name);
  leases.release('d');
  expect(leases.acquire('f')).toEqual({ address: parseAddress('10.88.0.5'), evicted: 'd' });
  expect(() => acquire(leases, 'd')).toThrow('no available');
});

test('an address asked for', () => {
  const leases = pool();
  expect(acquire(leases, 'a', '10.88.0.5')).toBe('10.88.0.5');
  expect(() => acquire(leases, 'b', '10.88.0.5')).toThrow('Address already in use');
  for (const wrong of ['10.88.0.0', '10.88.0.1', '10.88.0.7', '10.88.0.8']) {
    expect(() => acquire(leases, 'b', wrong)).toThrow(/no host|no configured subnet/);
  }
  expect(() => acquire(leases, 'b', 'x')).toThrow('invalid IPv4 address: x');
  leases.release('a');
  expect(leases.acquire('b', parseAddress('10.88.0.5')).evicted).toBe('a');
  expect(acquire(leases, 'b', '10.88.0.6')).toBe('10.88.0.6');
  expect(acquire(leases, 'a', '10.88.0.5')).toBe('10.88.0.5');
});

test('leases of an earlier life', () => {
  const leases = pool();
  expect(leases.restore('a', parseAddress('10.88.0.2')!)).toBe(true);
  expect(leases.restore('b', parseAddress('10.88.0.2')!)).toBe(false);
  expect(leases.restore('b', parseAddress('10.99.0.2')!)).toBe(false);
  expect(leases.restore('a', parseAddress('10.88.0.3')!)).toBe(false);
  expect(acquire(leases, 'b')).toBe('10.88.0.3');
  expect(acquire(leases, 'a')).toBe('10.88.0.2');
});

test('no address is ever held twice, whatever happens in whatever order', () => {
  const leases = pool('10.88.0.0/28');
  const active = new Map<string, number>();
  let seed = 1;
  for (let step = 0; step < 5000; step++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const name = `c${(seed >>> 8) % 20}`;
    if ((seed >>> 16) % 3 === 0) {
      if ((seed >>> 20) % 2 === 0) leases.forget(name);
      else leases.release(name);
      active.delete(name);
    } else if (active.size < 13 || active.has(name)) {
      active.set(name, leases.acquire(name).address);
    } else expect(() => leases.acquire(name)).toThrow('no available');
    expect(new Set(active.values()).size).toBe(active.size);
  }
});

test('addresses come from the range; one outside it may be asked for', () => {
  const pool = new AddressPool(parseSubnet('10.88.0.0/24')!, parseAddress('10.88.0.1')!, {
    range: parseSubnet('10.88.0.128/30'),
    reserved: [parseAddress('10.88.0.129')!],
  });
  const drawn = ['a', 'b', 'c'].map((container) => formatAddress(pool.acquire(container).address));
  expect(drawn).toEqual(['10.88.0.128', '10.88.0.130', '10.88.0.131']);
  expect(() => pool.acquire('d')).toThrow('no available IPv4 addresses');
  expect(() => pool.acquire('d', parseAddress('10.88.0.129'))).toThrow('no host');
  expect(formatAddress(pool.acquire('d', parseAddress('10.88.0.2')).address)).toBe('10.88.0.2');
  pool.forget('a');
  expect(formatAddress(pool.acquire('e').address)).toBe('10.88.0.128');
});
