import { expect, test } from 'vitest';
import { parseEgress } from './egress.ts';
import { parseDelay, parseLoss, parseRate } from './link-limits.ts';

test('targets of --egress', () => {
  expect(parseEgress('allow=Example.org:443,*.example.net,10.0.0.0/8:53/udp,[fd00::/8]:80-90,fd00::1,*/icmp')).toEqual([
    {
      action: 'allow',
      target: { kind: 'name', name: 'example.org', below: false },
      ports: [443, 443],
      text: 'Example.org:443',
    },
    { action: 'allow', target: { kind: 'name', name: 'example.net', below: true }, text: '*.example.net' },
    {
      action: 'allow',
      target: { kind: 'subnet', subnet: '10.0.0.0/8' },
      ports: [53, 53],
      protocol: 'udp',
      text: '10.0.0.0/8:53/udp',
    },
    { action: 'allow', target: { kind: 'subnet', subnet: 'fd00::/8' }, ports: [80, 90], text: '[fd00::/8]:80-90' },
    { action: 'allow', target: { kind: 'subnet', subnet: 'fd00::1/128' }, text: 'fd00::1' },
    { action: 'allow', target: { kind: 'any' }, protocol: 'icmp', text: '*/icmp' },
  ]);
  expect(parseEgress('deny=192.0.2.1')).toEqual([
    { action: 'deny', target: { kind: 'subnet', subnet: '192.0.2.1/32' }, text: '192.0.2.1' },
  ]);
});

test.each([
  '',
  'example.org',
  'allow=',
  'permit=x',
  'allow=a..b',
  'allow=10.0.0.0/33',
  'allow=10.0.0',
  'allow=x:0',
  'allow=x:9-8',
  'allow=*/sctp',
  'allow=*:1/icmp',
  'allow=a b',
])('%j is no rule', (text) => {
  expect(() => parseEgress(text)).toThrow();
});

test('rates, delays and losses', () => {
  expect(['10mbit', '1.5gbit', '1000', '125kbps', '0'].map(parseRate)).toEqual([1e7, 1.5e9, 1000, 1e6, 0]);
  expect(['50ms', '1.5s', '20', '500us'].map(parseDelay)).toEqual([50, 1500, 20, 0.5]);
  expect(['1%', '0.5', '100%'].map(parseLoss)).toEqual([0.01, 0.005, 1]);
  for (const text of ['', '10', 'fast', '-1mbit', '1tbit']) expect(() => parseRate(text), text).toThrow(/no rate/);
  for (const text of ['', '61s', '-1ms', '5m']) expect(() => parseDelay(text), text).toThrow(/no delay/);
  for (const text of ['', '101%', '-1%', 'x']) expect(() => parseLoss(text), text).toThrow(/no share/);
});
