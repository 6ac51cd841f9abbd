/** The contract of driver.ts as tests, to be run against each implementation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EndpointRequest, NetworkDriver } from '../driver.ts';
import { TestContainer } from './test-container.ts';
import type { NetworksOptions } from '../networks.ts';
import { TestHost } from './test-host.ts';

/** What differs between drivers. */
export interface Expected {
  readonly namespace: 'private' | 'host';
  /** Whether containers have addresses of their own. */
  readonly addresses: boolean;
  readonly link?: NetworksOptions['link'];
  /** Why it cannot be tested on this machine; absent: it can. */
  readonly obstacle?: string | undefined;
}

/** Defines the tests. */
export function testDriver(network: string, expected: Expected): void {
  describe(`network driver ${network}${expected.link === undefined ? '' : `, joined by ${expected.link}`}`, () => {
    let host: TestHost;
    let driver: NetworkDriver;

    beforeAll(async () => {
      if (expected.obstacle !== undefined) return;
      host = await TestHost.create();
      driver = host.open(expected.link).driver(network);
    });
    beforeEach((context) => {
      if (expected.obstacle !== undefined) context.skip(expected.obstacle);
    });
    afterAll(async () => {
      if (expected.obstacle === undefined) await host[Symbol.asyncDispose]();
    });

    function request(container: string): EndpointRequest {
      return { container, name: container, hostname: `${container}-host`, ports: [] };
    }

    /** Runs a script in a container of this network from start to end, and returns what it printed. */
    async function runContainer(container: string, script: string): Promise<string> {
      const endpoint = await driver.prepare(request(container));
      using process = await TestContainer.create(host.parent, endpoint, script);
      if (endpoint.needsAttach) driver.attach(container, process.pid);
      process.go();
      const status = await process.end();
      await driver.detach(container);
      expect(status, process.output).toBe(0);
      return process.output;
    }

    test('says what it is', async () => {
      const endpoint = await driver.prepare(request('a'));
      expect(endpoint).toMatchObject({ network, namespace: expected.namespace });
      expect(endpoint.id).toMatch(/^[\da-f]{64}$/);
      expect(endpoint.address !== '').toBe(expected.addresses);
      await driver.detach('a');
    });

    test('the container sees the interface, address and route that the endpoint names, and loopback', async () => {
      const endpoint = await driver.prepare(request('a'));
      await driver.detach('a');
      const links = await runContainer('a', 'busybox ip -o -4 addr; busybox ip route; cat /proc/net/dev');
      expect(links).toContain('127.0.0.1/8');
      expect(links).toContain('lo:');
      if (!expected.addresses) return;
      expect(links).toContain(`${endpoint.interface}    inet ${endpoint.address}/${endpoint.prefixLength} `);
      expect(links).toContain(`default via ${endpoint.gateway} dev ${endpoint.interface}`);
    });

    test('a private namespace has no link of the host', async () => {
      const links = await runContainer('a', 'ls /proc/self/net/ | wc -l; tail -n +3 /proc/net/dev | cut -d: -f1');
      const names = links.trim().split(/\s+/).slice(1);
      if (expected.namespace === 'private') expect(names.filter((name) => name !== 'eth0')).toEqual(['lo']);
    });

    test('no descriptor of the preparation reaches the program', async () => {
      // ls has its own, for the folder it lists.
      const listed = await runContainer('a', 'exec ls -l /proc/self/fd');
      expect(listed).not.toMatch(/socket:|netlink/);
    });

    test('names and resolvers', async () => {
      const files = await runContainer('a', 'cat /etc/hosts; echo; cat /etc/resolv.conf');
      expect(files).toMatch(/^127\.0\.0\.1\s+localhost/m);
      if (expected.addresses) expect(files).toMatch(/^[\d.]+\ta-host$/m);
    });

    test('in a private namespace everybody may bind low ports and send echo requests', async () => {
      if (expected.namespace !== 'private') return;
      const settings = await runContainer(
        'a',
        'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range',
      );
      expect(settings.trim().split(/\s+/)).toEqual(['0', '0', String(host.groups - 1)]);
    });

    test('containers that are prepared at the same time get different addresses', async () => {
      const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
      const endpoints = await Promise.all(names.map((name) => driver.prepare(request(name))));
      if (expected.addresses) expect(new Set(endpoints.map(({ address }) => address)).size).toBe(names.length);
      await Promise.all(names.map((name) => driver.remove(name)));
    });

    test('an address stays over stop and start, and is free after removal', async () => {
      const first = await driver.prepare(request('a'));
      await driver.detach('a');
      const other = await driver.prepare(request('b'));
      const again = await driver.prepare(request('a'));
      expect(again.address).toBe(first.address);
      if (expected.addresses) expect(other.address).not.toBe(first.address);
      await driver.remove('a');
      await driver.remove('b');
      expect((await driver.prepare(request('c'))).address).toBe(first.address);
      await driver.remove('c');
    });

    test('detach and remove may be repeated, and may come without prepare', async () => {
      await driver.prepare(request('a'));
      await driver.detach('a');
      await driver.detach('a');
      await driver.remove('a');
      await driver.remove('a');
      await driver.detach('nobody');
      await driver.remove('nobody');
    });

    test('another life of the engine finds leases of those that are left, and frees the others', async () => {
      const [running, stopped, gone] = await Promise.all(
        ['running', 'stopped', 'gone'].map((name) => driver.prepare(request(name))),
      );
      const successor = host.open(expected.link).driver(network);
      await successor.recover(
        new Map([
          ['running', true],
          ['stopped', false],
        ]),
      );
      const fresh = await successor.prepare(request('fresh'));
      if (expected.addresses) {
        expect([running?.address, stopped?.address]).not.toContain(fresh.address);
        expect(fresh.address).toBe(gone?.address);
      }
      expect((await successor.prepare(request('stopped'))).address).toBe(stopped?.address);
      for (const name of ['running', 'stopped', 'fresh']) await successor.remove(name);
      driver = successor;
    });
  });
}
