/** What a bridged network does with packets. Servers and clients in containers are busybox's. */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { get } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unmet } from '../../test/helpers/requirements.ts';
import { isAlive, processIdentity } from '../sys/process-identity.ts';
import type { NetworkDriver, PreparedEndpoint } from './driver.ts';
import { parseRoutes } from './host-routes.ts';
import { formatAddress, formatSubnet, overlaps, parseSubnet, type Subnet } from './ipv4.ts';
import type { Networks } from './networks.ts';
import type { PortMapping } from './port-mapping.ts';
import { NetworkProcessClient } from './process/client.ts';
import { type NetworkRecord, NetworkRecords } from './records.ts';
import { TestContainer } from './testing/test-container.ts';
import { testIdle, testPatience, TestHost } from './testing/test-host.ts';

const obstacle = await unmet(['user-namespaces', 'busybox', 'dev-net-tun']);

beforeEach((context) => {
  if (obstacle !== undefined) context.skip(obstacle);
});

describe.each(['bridge', 'tap'] as const)('a network of containers joined by %s', (link) => {
  let host: TestHost;
  let networks: Networks;
  let driver: NetworkDriver;
  let running: { container: TestContainer; name: string }[] = [];
  let servers: Server[] = [];

  beforeAll(async () => {
    if (obstacle !== undefined) return;
    host = await TestHost.create();
    networks = host.open(link);
    driver = networks.driver('bridge');
  });

  afterEach(async () => {
    for (const { container, name } of running) {
      container[Symbol.dispose]();
      await driver.remove(name);
    }
    running = [];
    for (const server of servers) server.close();
    servers = [];
  });

  afterAll(async () => {
    if (obstacle === undefined) await host[Symbol.asyncDispose]();
  });

  interface Started {
    readonly endpoint: PreparedEndpoint;
    readonly container: TestContainer;
  }

  async function start(name: string, script: string, ...ports: PortMapping[]): Promise<Started> {
    const endpoint = await driver.prepare({ container: name, name, hostname: name, ports });
    const container = await TestContainer.create(host.parent, endpoint, script);
    running.push({ container, name });
    driver.attach(name, container.pid);
    container.go();
    return { endpoint, container };
  }

  function startWeb(name: string, ...ports: PortMapping[]): Promise<Started> {
    const page = `mount -t tmpfs none /mnt && echo ${name} > /mnt/index.html`;
    return start(name, `${page} && exec busybox httpd -f -p 80 -h /mnt`, ...ports);
  }

  /** The container's output once its script has ended well. */
  async function outcome({ container }: Started): Promise<string> {
    const status = await container.end();
    expect(status, container.output).toBe(0);
    return container.output;
  }

  /** A server of the host that says `word` to everybody; its port. */
  async function hostServer(word: string | Buffer, address = '127.0.0.1'): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.0 200 OK\r\n\r\n');
        socket.end(word);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    return (server.address() as AddressInfo).port;
  }

  /** The body of a page, or the error's code. */
  function fetchPage(port: number, address = '127.0.0.1'): Promise<string> {
    return new Promise((resolve) => {
      get({ host: address, port, agent: false, timeout: 5000 }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve(body.trim()));
        response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }

  async function networkProcess(): Promise<number> {
    const client = await NetworkProcessClient.connect(`${host.paths.run}/network-bridge.sock`, testPatience);
    const { pid } = await client.call('hello', {});
    client.close();
    return pid;
  }

  const tcp = { protocol: 'tcp', containerPort: 80 } as const;

  test('the gateway answers echo requests', async () => {
    expect(await outcome(await start('a', 'busybox ping -c 2 -W 5 10.88.0.1'))).toContain('2 packets received');
  });

  test('the host’s own servers are reached by the gateway’s address and by name', async () => {
    const port = await hostServer('hello from the host');
    const script = `busybox wget -q -O - http://10.88.0.1:${port}/ && busybox wget -q -O - http://host.docker.internal:${port}/`;
    expect(await outcome(await start('a', script))).toBe('hello from the hosthello from the host');
  });

  test.runIf(link === 'bridge')(
    'an ended container’s namespace that lingers does not disturb the next one',
    async () => {
      const size = 20_000_000;
      const port = await hostServer(Buffer.alloc(size));
      // It goes on to talk as the driver takes it for ended: the kernel ends namespaces when it finds the time.
      const talk = `const socket = require('dgram').createSocket('udp4');
      setInterval(() => socket.send('x', 9, '10.88.0.1'), 1);
      console.log('talking');`;
      const former = await start('former', `exec ${process.execPath} -e "${talk}"`);
      await expect.poll(() => former.container.output, { timeout: 10_000 }).toContain('talking');
      await driver.remove('former');
      const next = await start(
        'next',
        `busybox timeout 10 busybox wget -q -O - http://10.88.0.1:${port}/ | busybox wc -c`,
      );
      expect(next.endpoint).toMatchObject({ address: former.endpoint.address, mac: former.endpoint.mac });
      expect((await outcome(next)).trim()).toBe(String(size));
    },
  );

  test('a published port is answered by the container, in IPv4 and IPv6', async () => {
    const { endpoint } = await startWeb('web', { ...tcp, hostPort: 0 });
    const [v4, v6] = endpoint.ports;
    expect(v4).toMatchObject({ hostAddress: '0.0.0.0', protocol: 'tcp', containerPort: 80 });
    await expect.poll(() => fetchPage(v4!.hostPort), { timeout: 10_000 }).toBe('web');
    if (v6 !== undefined) {
      expect(v6.hostPort).toBe(v4!.hostPort);
      expect(await fetchPage(v6.hostPort, '::1')).toBe('web');
    }
    await driver.detach('web');
    expect(await fetchPage(v4!.hostPort)).toBe('ECONNREFUSED');
  });

  test('datagrams go both ways through a published port, and out', async () => {
    const echo = `
      const { createSocket } = require('node:dgram');
      const socket = createSocket('udp4');
      socket.on('message', (text, peer) => socket.send(text + ' from ' + peer.address, peer.port, peer.address));
      socket.bind(5000);`;
    const mapping = { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 0, containerPort: 5000 } as const;
    const { endpoint } = await start('echo', `exec ${process.execPath} -e "${echo}"`, mapping);
    using socket = new Datagrams();
    await expect
      .poll(() => socket.ask('hello', endpoint.ports[0]!.hostPort), { timeout: 10_000 })
      // A peer on the host's loopback has no address that the container could answer to.
      .toBe('hello from 10.88.0.1');

    using server = new Datagrams();
    const port = await server.echo();
    const client = `
      const { createSocket } = require('node:dgram');
      const socket = createSocket('udp4');
      socket.on('message', (text) => { console.log(String(text)); socket.close(); });
      socket.send('out and back', ${port}, '10.88.0.1');`;
    expect(await outcome(await start('client', `exec ${process.execPath} -e "${client}"`))).toBe('out and back\n');
  });

  test('what is sent is what arrives, out, in and through a published port', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const port = await hostServer(bytes);
    const script =
      `mount -t tmpfs none /mnt && busybox wget -q -O /mnt/data http://10.88.0.1:${port}/ && ` +
      'sha256sum < /mnt/data && exec busybox httpd -f -p 80 -h /mnt';
    const { endpoint, container } = await start('a', script, { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    await expect.poll(() => container.output, { timeout: 20_000 }).toContain(hash);
    const page = `http://127.0.0.1:${endpoint.ports[0]!.hostPort}/data`;
    async function back(): Promise<string> {
      try {
        const body = await (await fetch(page)).arrayBuffer();
        return createHash('sha256').update(Buffer.from(body)).digest('hex');
      } catch (error) {
        // The server may not listen yet.
        return String(error);
      }
    }
    await expect.poll(back, { timeout: 10_000 }).toBe(hash);
  });

  test('a port that another container has is an error in Docker’s words, and nothing is left of it', async () => {
    const { endpoint } = await startWeb('first', { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    const { hostPort } = endpoint.ports[0]!;
    const free = { ...tcp, hostAddress: '127.0.0.1', hostPort: await unusedPort() };
    const taken = { ...tcp, hostAddress: '127.0.0.1', hostPort };
    const second = driver.prepare({ container: 'second', name: 'second', hostname: 's', ports: [free, taken] });
    await expect(second).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringMatching(
        new RegExp(
          `^driver failed programming external connectivity on endpoint second \\([\\da-f]{64}\\): ` +
            `Bind for 127\\.0\\.0\\.1:${hostPort} failed: port is already allocated$`,
        ),
      ) as string,
    });
    expect(await fetchPage(free.hostPort)).toBe('ECONNREFUSED');
    expect(readdirSync(`${host.paths.networks}/bridge.d`)).toEqual(['first.json']);
    await expect.poll(() => fetchPage(hostPort), { timeout: 10_000 }).toBe('first');
  });

  test('so is a port of any other program', async () => {
    const hostPort = await hostServer('mine');
    const mapping = { ...tcp, hostAddress: '127.0.0.1', hostPort };
    await expect(driver.prepare({ container: 'a', name: 'a', hostname: 'a', ports: [mapping] })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('a killed network process is replaced, and ports are answered again', async () => {
    const { endpoint } = await startWeb('web', { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    const { hostPort } = endpoint.ports[0]!;
    await expect.poll(() => fetchPage(hostPort), { timeout: 10_000 }).toBe('web');
    const before = await networkProcess();
    process.kill(before, 'SIGKILL');
    await expect.poll(() => fetchPage(hostPort), { timeout: 5000, interval: 20 }).toBe('web');
    expect(await networkProcess()).not.toBe(before);
  });

  test('and once more when the agent was killed with it', async () => {
    const { endpoint } = await startWeb('web', { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    const { hostPort } = endpoint.ports[0]!;
    await networks[Symbol.asyncDispose]();
    process.kill(await networkProcess(), 'SIGKILL');
    await expect.poll(() => fetchPage(hostPort)).toMatch(/^ECONN/);
    networks = host.open(link);
    driver = networks.driver('bridge');
    await driver.recover(new Map([['web', true]]));
    await expect.poll(() => fetchPage(hostPort), { timeout: 5000, interval: 20 }).toBe('web');
  });

  test('an agent’s end alone changes nothing, and its successor closes the ports of who ended meanwhile', async () => {
    const { endpoint } = await startWeb('web', { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    const { hostPort } = endpoint.ports[0]!;
    await networks[Symbol.asyncDispose]();
    await expect.poll(() => fetchPage(hostPort), { timeout: 10_000 }).toBe('web');
    const before = await networkProcess();
    networks = host.open(link);
    driver = networks.driver('bridge');
    await driver.recover(new Map([['web', false]]));
    expect(await networkProcess()).toBe(before);
    expect(await fetchPage(hostPort)).toBe('ECONNREFUSED');
  });

  test.runIf(link === 'bridge')('a network process that hangs is replaced as well', async () => {
    const { endpoint } = await startWeb('web', { ...tcp, hostAddress: '127.0.0.1', hostPort: 0 });
    const before = await networkProcess();
    process.kill(before, 'SIGSTOP');
    await driver.prepare({ container: 'b', name: 'b', hostname: 'b', ports: [] });
    expect(await networkProcess()).not.toBe(before);
    await expect.poll(() => fetchPage(endpoint.ports[0]!.hostPort), { timeout: 5000 }).toBe('web');
    await driver.remove('b');
  });

  test('twenty containers at once', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
    const started = await Promise.all(names.map((name) => start(name, 'busybox ping -c 1 -W 10 10.88.0.1')));
    const outputs = await Promise.all(started.map(outcome));
    expect(outputs.every((output) => output.includes('1 packets received'))).toBe(true);
  });

  test.runIf(link === 'bridge')('containers reach each other, whether or not there is a network process', async () => {
    const { endpoint } = await startWeb('web');
    process.kill(await networkProcess(), 'SIGKILL');
    const fetches = Array(20).fill(`timeout 5 busybox wget -q -O - http://${endpoint.address}/ || exit 1; sleep 0.02`);
    expect(await outcome(await start('client', `sleep 0.2; ${fetches.join('; ')}`))).toBe('web\n'.repeat(20));
  });

  test.runIf(link === 'bridge')('a container that takes another’s address is not served under it', async () => {
    const { endpoint } = await startWeb('victim');
    const port = await hostServer('served');
    // CAP_NET_ADMIN over its own namespace is the container's: addresses are its to set.
    const page = `timeout 3 busybox wget -q -O - http://10.88.0.1:${port}/`;
    const address = `busybox ip addr flush dev eth0; busybox ip addr add ${endpoint.address}/16 dev eth0; busybox ip route add default via 10.88.0.1`;
    const thief = await start('thief', `${page} && ${address}; ${page} || echo -refused`);
    expect(await outcome(thief)).toBe('served-refused\n');
  });

  test('the network process gives up the files that it does not need, unless it takes TAPs from other processes', async () => {
    await start('a', 'read x');
    const status = readFileSync(`/proc/${await networkProcess()}/status`, 'latin1');
    expect(/^NoNewPrivs:\t(\d)/m.exec(status)?.[1]).toBe(link === 'bridge' ? '1' : '0');
  });

  test('without containers the network process leaves after a while, and comes again', async () => {
    await start('a', 'sleep 60');
    const identity = processIdentity(await networkProcess());
    expect(isAlive(identity)).toBe(true);
    await driver.remove('a');
    await expect.poll(() => isAlive(identity), { timeout: 10 * testIdle }).toBe(false);
    expect(await outcome(await start('b', 'busybox ping -c 1 -W 5 10.88.0.1'))).toContain('1 packets received');
  });

  test.runIf(link === 'bridge')(
    'it also leaves without an agent, although it was never told of its containers’ end',
    async () => {
      await driver.prepare({ container: 'a', name: 'a', hostname: 'a', ports: [] });
      const identity = processIdentity(await networkProcess());
      await networks[Symbol.asyncDispose]();
      await expect.poll(() => isAlive(identity), { timeout: 16 * testIdle, interval: 200 }).toBe(false);
      networks = host.open(link);
      driver = networks.driver('bridge');
      await driver.remove('a');
    },
  );

  async function unusedPort(): Promise<number> {
    const port = await hostServer('');
    await new Promise((resolve) => servers.pop()!.close(resolve));
    return port;
  }
});

/** A UDP socket of the host. */
class Datagrams {
  readonly #socket = createSocket('udp4');

  /** Sends to a port of 127.0.0.1 and returns what comes back within a moment. */
  ask(text: string, port: number): Promise<string> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve('nothing'), 500);
      this.#socket.once('message', (reply) => {
        clearTimeout(timer);
        resolve(String(reply));
      });
      this.#socket.send(text, port, '127.0.0.1');
    });
  }

  /** Sends everything back to where it came from; returns its port. */
  async echo(): Promise<number> {
    this.#socket.on('message', (text, peer) => this.#socket.send(text, peer.port, peer.address));
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return this.#socket.address().port;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

test('the network process ends with the holder', async () => {
  const host = await TestHost.create();
  const driver = host.open().driver('bridge');
  await driver.prepare({ container: 'a', name: 'a', hostname: 'a', ports: [] });
  const client = await NetworkProcessClient.connect(`${host.paths.run}/network-bridge.sock`, testPatience);
  const identity = processIdentity((await client.call('hello', {})).pid);
  client.close();
  await host[Symbol.asyncDispose]();
  await expect.poll(() => isAlive(identity), { timeout: 5000 }).toBe(false);
});

test.skipIf(hostSubnets().length === 0)(
  'the default network moves away from what the host uses, while it is empty',
  async () => {
    await using host = await TestHost.create();
    const records = new NetworkRecords(host.paths.networks);
    const [used] = hostSubnets();
    const before: NetworkRecord = {
      name: 'bridge',
      id: 'before',
      driver: 'bridge',
      subnet: formatSubnet(used!),
      gateway: formatAddress(used!.base + 1),
      mtu: 1500,
      created: new Date().toISOString(),
    };
    const endpoint = { container: 'a', id: 'e', address: formatAddress(used!.base + 2), mac: '', names: [], ports: [] };
    records.saveNetwork(before);
    records.saveEndpoint('bridge', endpoint);
    host.open().driver('bridge');
    expect(records.network('bridge')).toEqual(before);
    records.removeEndpoint('bridge', 'a');
    host.open().driver('bridge');
    const after = parseSubnet(records.network('bridge')!.subnet)!;
    expect(hostSubnets().some((subnet) => overlaps(subnet, after))).toBe(false);
  },
);

function hostSubnets(): Subnet[] {
  return parseRoutes(readFileSync('/proc/net/route', 'utf8'));
}
