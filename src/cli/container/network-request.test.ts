import { expect, test } from 'vitest';
import { parseFlags } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';
import { networkAttachments } from './network-request.ts';

function decode(...words: string[]): object[] {
  return networkAttachments(parseFlags(CONTAINER_FLAGS, words, true).values);
}

test('without a flag, the default network', () => {
  expect(decode()).toEqual([{ network: 'bridge' }]);
  expect(decode('--network', 'default')).toEqual([{ network: 'bridge' }]);
});

test('several networks, the long form, and flags about the first', () => {
  const mac = '92:d0:c6:0a:29:33';
  expect(
    decode('--net', 'front', '--network', `name=back,alias=db,alias=store,ip=10.1.0.5,ip6=fd00::5,mac-address=${mac}`),
  ).toEqual([
    { network: 'front' },
    { network: 'back', aliases: ['db', 'store'], address: '10.1.0.5', address6: 'fd00::5', mac },
  ]);
  expect(
    decode('--network=front', '--network-alias=a', '--net-alias=b', '--ip=10.1.0.9', '--mac-address=92-D0-C6-0A-29-33'),
  ).toEqual([{ network: 'front', aliases: ['b', 'a'], address: '10.1.0.9', mac }]);
});

test('links are by alias', () => {
  expect(decode('--link', 'postgres:db', '--link', 'cache')).toEqual([
    { network: 'bridge', links: { db: 'postgres', cache: 'cache' } },
  ]);
});

test.each([
  [['--network='], 'the name of the network is empty'],
  [['--network=alias=x'], 'network name is missing'],
  [['--network=name=a,colour=red'], 'invalid field key colour'],
  [['--network=name=a,gw-priority=1'], 'trun does not have the field gw-priority'],
  [['--ip=10.1.0'], 'invalid IPv4 address: 10.1.0'],
  [['--ip6=10.1.0.1'], 'invalid IPv6 address'],
  [['--mac-address=x'], 'not a valid mac address'],
  [['--mac-address=01:00:00:00:00:01'], 'multicast'],
  [['--network=name=a,ip=10.1.0.2', '--ip=10.1.0.3'], 'cannot specify both --ip'],
  [['--network=host', '--network-alias=x'], 'conflicting options: network-alias and the network mode'],
  [['--link=a:b:c'], 'bad format for links: a:b:c'],
])('%j is refused', (words, message) => {
  expect(() => decode(...words)).toThrow(message);
});
