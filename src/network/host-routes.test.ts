import { expect, test } from 'vitest';
import { candidateSubnets, chooseSubnet, parseRoutes } from './host-routes.ts';
import { formatSubnet, parseSubnet } from './ipv4.ts';

const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000580A	00000000	0001	0	0	0	0000F0FF	0	0	0
wg0	01020304	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`;

test('the kernel’s table, without the default route', () => {
  expect(parseRoutes(table).map(formatSubnet)).toEqual(['192.0.2.0/24', '10.88.0.0/12', '4.3.2.1/32']);
  expect(parseRoutes('')).toEqual([]);
});

test('the first candidate that clashes with nothing', () => {
  expect(formatSubnet(chooseSubnet([])!)).toBe('10.88.0.0/16');
  expect(formatSubnet(chooseSubnet([parseSubnet('10.88.7.0/24')!])!)).toBe('10.89.0.0/16');
  expect(formatSubnet(chooseSubnet([parseSubnet('10.0.0.0/8')!])!)).toBe('172.16.0.0/16');
  expect(formatSubnet(chooseSubnet([], ['10.88.0.53', 'fe80::1'])!)).toBe('10.89.0.0/16');
  expect(chooseSubnet([parseSubnet('0.0.0.0/0')!])).toBeUndefined();
});

test('candidates do not overlap one another', () => {
  for (const [i, candidate] of candidateSubnets.entries()) {
    expect(chooseSubnet(candidateSubnets.filter((other) => other !== candidate))).toBe(candidateSubnets[i]);
  }
});
