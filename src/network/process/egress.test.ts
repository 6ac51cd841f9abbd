import { IpAddress } from 'netstack';
import { beforeEach, expect, test } from 'vitest';
import type { EgressRule } from '../../base/traffic.ts';
import { Egress, type EgressDecision } from './egress.ts';

let now: number;
let decisions: EgressDecision[];
let egress: Egress;

beforeEach(() => {
  now = 0;
  decisions = [];
  egress = new Egress(
    () => now,
    (decision) => decisions.push(decision),
  );
});

const own = '10.88.0.2';

function name(action: EgressRule['action'], text: string, more: Partial<EgressRule> = {}): EgressRule {
  const below = text.startsWith('*.');
  return { action, target: { kind: 'name', name: below ? text.slice(2) : text, below }, text, ...more };
}

function subnet(action: EgressRule['action'], text: string, more: Partial<EgressRule> = {}): EgressRule {
  return { action, target: { kind: 'subnet', subnet: text }, text, ...more };
}

function admits(address: string, port = 443, protocol: 'tcp' | 'udp' | 'icmp' = 'tcp', from = own): boolean {
  return egress.admits({ container: IpAddress.from(from), destination: IpAddress.from(address), port, protocol });
}

function tell(host: string, address: string, ttl = 60, from = own): void {
  egress.answered(host, from, [{ address: IpAddress.from(address), ttl }]);
}

test('without rules everything is admitted, and nothing is recorded', () => {
  egress.set('a', [own]);
  expect([admits('192.0.2.1'), egress.permits('x', own), decisions.length]).toEqual([true, true, 0]);
});

test('with a rule that allows, the rest is denied; a rule that denies comes first', () => {
  egress.set(
    'a',
    [own, 'fd00::2'],
    [subnet('allow', '10.0.0.0/8'), subnet('deny', '10.9.0.0/16', { ports: [22, 25] })],
  );
  expect([admits('10.1.2.3'), admits('10.9.2.3'), admits('10.9.2.3', 22), admits('192.0.2.1')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(admits('fd00::9', 443, 'tcp', 'fd00::2')).toBe(false);
  expect(decisions[2]).toEqual({
    container: 'a',
    action: 'deny',
    protocol: 'tcp',
    address: '10.9.2.3',
    port: 22,
    rule: '10.9.0.0/16',
  });
  egress.set('a', [own], [subnet('deny', '192.0.2.0/24')]);
  expect([admits('10.1.2.3'), admits('192.0.2.1', 0, 'icmp')]).toEqual([true, false]);
});

test('a name is the addresses that this container was told for it, for a while', () => {
  egress.set('a', [own], [name('allow', 'example.org', { ports: [443, 443] }), name('allow', '*.example.net')]);
  egress.set('b', ['10.88.0.3'], [name('allow', 'example.org')]);
  expect(admits('192.0.2.1')).toBe(false);
  tell('example.org', '192.0.2.1', 600);
  expect([admits('192.0.2.1'), admits('192.0.2.1', 80), admits('192.0.2.1', 443, 'tcp', '10.88.0.3')]).toEqual([
    true,
    false,
    false,
  ]);
  tell('www.example.net', '192.0.2.2', 5);
  tell('example.net', '192.0.2.3');
  tell('badexample.net', '192.0.2.4');
  expect([admits('192.0.2.2'), admits('192.0.2.3'), admits('192.0.2.4')]).toEqual([true, false, false]);
  now = 299_000;
  expect(admits('192.0.2.2')).toBe(true);
  now = 301_000;
  expect([admits('192.0.2.1'), admits('192.0.2.2')]).toEqual([true, false]);
  expect(decisions.find(({ address }) => address === '192.0.2.2')).toMatchObject({
    name: 'www.example.net',
    rule: '*.example.net',
  });
});

test('names that no rule lets through are not looked up', () => {
  egress.set('a', [own], [name('allow', 'example.org')]);
  expect([egress.permits('example.org', own), egress.permits('leak.attacker.example', own)]).toEqual([true, false]);
  expect(decisions).toEqual([{ container: 'a', action: 'deny', protocol: 'dns', name: 'leak.attacker.example' }]);
  egress.set('a', [own], [subnet('allow', '10.0.0.0/8'), name('deny', '*.attacker.example')]);
  expect([egress.permits('any.example', own), egress.permits('leak.attacker.example', own)]).toEqual([true, false]);
  egress.set('a', [own], [{ action: 'deny', target: { kind: 'any' }, text: '*' }]);
  expect(egress.permits('any.example', own)).toBe(false);
});

test('nobody with rules hides behind a link-local address', () => {
  expect(admits('2001:db8::1', 443, 'tcp', 'fe80::1')).toBe(true);
  egress.set('a', ['fd00::2'], [subnet('allow', 'fd00::/8')]);
  expect([admits('2001:db8::1', 443, 'tcp', 'fe80::1'), egress.permits('x.example', 'fe80::1')]).toEqual([
    false,
    false,
  ]);
});

test('what it was told survives other rules, and is bounded', () => {
  egress.set('a', [own], [name('allow', 'example.org')]);
  tell('example.org', '192.0.2.1');
  egress.set('a', [own], [name('allow', 'example.org', { protocol: 'tcp' })]);
  expect([admits('192.0.2.1'), admits('192.0.2.1', 443, 'udp')]).toEqual([true, false]);
  for (let i = 0; i < 5000; i++) tell('example.org', `10.${i >> 8}.${i & 255}.1`);
  expect(admits('192.0.2.1')).toBe(false);
});
