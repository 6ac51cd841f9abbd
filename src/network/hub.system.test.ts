/** rtnetlink against the kernel, in a hub. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { unmet } from '../../test/helpers/requirements.ts';
import { HOLDER_FD } from '../holder/holder-plan.ts';
import { takeHolderFd } from '../holder/holder.ts';
import { NetlinkSocket } from '../sys/netlink.ts';
import {
  addAddress,
  addDefaultRoute,
  changeLink,
  createBridge,
  createVeth,
  deleteLink,
  isolatePort,
  moveLink,
  probeVeth,
} from '../sys/netlink-requests.ts';
import { TestHost } from './testing/test-host.ts';

let host: TestHost;
let netlink: NetlinkSocket;

const obstacle = await unmet(['user-namespaces']);

beforeAll(async () => {
  if (obstacle !== undefined) return;
  host = await TestHost.create();
  netlink = new NetlinkSocket(takeHolderFd(host.holder, HOLDER_FD.netlink));
});

beforeEach((context) => {
  if (obstacle !== undefined) context.skip(obstacle);
});

afterAll(async () => {
  if (obstacle !== undefined) return;
  netlink.close();
  await host[Symbol.asyncDispose]();
});

test('links are made, changed, found and removed', () => {
  const mac = Buffer.from('02420a580002', 'hex');
  netlink.request([createBridge('link0', { mtu: 1300, mac })]);
  expect(netlink.link('link0')).toMatchObject({ name: 'link0', kind: 'bridge', mtu: 1300, up: false, mac });
  netlink.request([changeLink('link0', { up: true, mtu: 1400, transmitQueueLength: 5000 })]);
  expect(netlink.link('link0')).toMatchObject({ mtu: 1400, up: true });
  netlink.request([deleteLink('link0'), deleteLink('link0')]);
  expect(netlink.link('link0')).toBeUndefined();
});

test('more links than one answer holds', () => {
  const names = Array.from({ length: 40 }, (_, i) => `many${i}`);
  netlink.request(names.map((name) => createBridge(name)));
  expect(netlink.links().filter(({ kind }) => kind === 'bridge')).toHaveLength(names.length);
  netlink.request(names.map((name) => deleteLink(name)));
  expect(netlink.links().filter(({ kind }) => kind === 'bridge')).toEqual([]);
});

test('ports of a bridge, isolated and not', () => {
  netlink.request([probeVeth(), createBridge('br0', { up: true })]);
  const master = netlink.link('br0')!.index;
  const peer = { name: 'inside', netNs: { pid: host.holder.process.pid } };
  netlink.request([createVeth('port0', { master, up: true }, peer), isolatePort('port0', true)]);
  expect(netlink.link('port0')).toMatchObject({ kind: 'veth', master, up: true });
  expect(netlink.link('inside')).toMatchObject({ kind: 'veth', master: 0, up: false });
  netlink.request([changeLink('port0', { master: 0 })]);
  expect(netlink.link('port0')).toMatchObject({ master: 0 });
  netlink.request([deleteLink('port0'), deleteLink('br0')]);
  expect(netlink.link('inside')).toBeUndefined();
});

test('addresses and routes', () => {
  const gateway = Buffer.from([10, 9, 0, 1]);
  netlink.request([createBridge('link0')]);
  const { index } = netlink.link('link0')!;
  // Without a connected network there is no way to the gateway.
  expect(() => netlink.request([addDefaultRoute(gateway)])).toThrow(
    /^Cannot add default route by 10\.9\.0\.1: .*\(ENETUNREACH\)$/,
  );
  netlink.request([
    addAddress(index, Buffer.from([10, 9, 0, 2]), 16),
    changeLink('link0', { up: true }),
    addDefaultRoute(gateway),
  ]);
  expect(() => netlink.request([addDefaultRoute(gateway)])).toThrow('EEXIST');
  netlink.request([deleteLink('link0')]);
});

test('a refusal in the middle stops nothing behind it, and is told', () => {
  const requests = [createBridge('one'), createBridge('one'), createBridge('two')];
  expect(() => netlink.request(requests)).toThrow(
    expect.objectContaining({ code: 'EEXIST', message: 'Cannot create bridge one: file already exists (EEXIST)' }),
  );
  expect(netlink.link('two')).toBeDefined();
  netlink.request([deleteLink('one'), deleteLink('two')]);
});

test('the kernel’s own words are passed on', () => {
  expect(() => netlink.request([moveLink(9999, { name: 'x', netNs: { pid: host.holder.process.pid } })])).toThrow(
    'ENODEV',
  );
  expect(() => netlink.request([createBridge('a-name-that-is-too-long')])).toThrow(/\(ERANGE\)$/);
  expect(() => netlink.request([createBridge('br1', { mtu: 1 })])).toThrow(/mtu less than device minimum \(EINVAL\)$/);
});
