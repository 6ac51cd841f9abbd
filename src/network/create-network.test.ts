import { expect, test } from 'vitest';
import { createNetworkRecord, type NetworkRequest, type Surroundings } from './create-network.ts';
import { parseSubnet } from './ipv4.ts';
import type { NetworkRecord } from './records.ts';

const request: NetworkRequest = {
  name: 'front',
  driver: 'bridge',
  subnets: [],
  gateways: [],
  ipRanges: [],
  auxAddresses: {},
  ipv6: false,
  internal: false,
  attachable: false,
  labels: {},
  options: {},
};

function create(changes: Partial<NetworkRequest>, surroundings: Partial<Surroundings> = {}): NetworkRecord {
  return createNetworkRecord(
    { ...request, ...changes },
    { networks: [], routes: [parseSubnet('10.88.0.0/16')!], resolvers: [], ...surroundings },
  );
}

test('what is left open is chosen, away from the host’s routes and from other networks', () => {
  const first = create({});
  expect(first).toMatchObject({ name: 'front', subnet: '10.89.0.0/16', gateway: '10.89.0.1', mtu: 1500 });
  expect(first.id).toMatch(/^[\da-f]{64}$/);
  expect(create({ name: 'back' }, { networks: [first] }).subnet).toBe('10.90.0.0/16');
});

test('what is given is taken', () => {
  const record = create({
    subnets: ['192.168.9.0/24', 'fd12::/64'],
    gateways: ['192.168.9.254', 'fd12::fe'],
    ipRanges: ['192.168.9.128/25'],
    ipv6: true,
    options: { 'com.docker.network.driver.mtu': '9000' },
  });
  expect(record).toMatchObject({
    subnet: '192.168.9.0/24',
    gateway: '192.168.9.254',
    subnet6: 'fd12::/64',
    gateway6: 'fd12::fe',
    ipRange: '192.168.9.128/25',
    mtu: 9000,
  });
});

test('an IPv6 subnet that is left open is a unique local one', () => {
  const { subnet6, gateway6 } = create({ ipv6: true });
  expect(subnet6).toMatch(/^fd[\da-f:]+::\/64$/);
  expect(gateway6).toBe(subnet6!.replace('::/64', '::1'));
  expect(create({ ipv6: true }).subnet6).not.toBe(subnet6);
});

test.each<[Partial<NetworkRequest>, string, string]>([
  [{ name: '-x' }, 'INVALID', 'invalid network name "-x"'],
  [{ name: '../x' }, 'INVALID', 'invalid network name'],
  [{ name: 'host' }, 'CONFLICT', 'predefined host network'],
  [{ driver: 'macvlan' }, 'UNSUPPORTED', 'CAP_NET_ADMIN over the host'],
  [{ driver: 'overlay' }, 'UNSUPPORTED', 'trun works on one'],
  [{ driver: 'weave' }, 'NOT_FOUND', 'plugin "weave" not found'],
  [{ subnets: ['10.1.0.0'] }, 'INVALID', 'invalid CIDR address: 10.1.0.0'],
  [{ subnets: ['10.1.0.0/31'] }, 'INVALID', 'no room'],
  [{ gateways: ['10.1.0.1'] }, 'INVALID', 'give the --subnet as well'],
  [{ subnets: ['10.1.0.0/24'], gateways: ['10.2.0.1'] }, 'INVALID', 'no matching subnet for gateway 10.2.0.1'],
  [{ subnets: ['10.1.0.0/24'], gateways: ['10.1.0.255'] }, 'INVALID', "no host's address"],
  [{ subnets: ['10.1.0.0/24'], ipRanges: ['10.1.1.0/25'] }, 'INVALID', 'no matching subnet for range'],
  [{ subnets: ['10.1.0.0/24'], auxAddresses: { x: '10.1.0.1' } }, 'CONFLICT', 'Address already in use'],
  [{ subnets: ['fd00::/64'] }, 'INVALID', 'takes --ipv6'],
  [{ subnets: ['fd00::/120'], ipv6: true }, 'INVALID', 'fewer addresses'],
  [{ options: { mtu: '9' } }, 'INVALID', 'is not from 576 to 65520'],
  [{ options: { colour: 'red' } }, 'UNSUPPORTED', 'the network option colour'],
])('%j is refused', (changes, code, words) => {
  expect(() => create(changes)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(words) as string }),
  );
});

test('no name twice, no overlap', () => {
  const networks = [create({ subnets: ['10.1.0.0/16'] })];
  expect(() => create({}, { networks })).toThrow('network with name front already exists');
  expect(() => create({ name: 'other', subnets: ['10.1.2.0/24'] }, { networks })).toThrow(
    'Pool overlaps with other one',
  );
});
