/**
 * What an own stack makes possible without privileges: rules for connections to the outside, limits of the line, IPv6.
 * The outside is a server of the test's own on the host's loopback.
 *
 * Runs as: user, nosub
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });

const host = 'host.docker.internal';
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((_, response) => response.end('x'.repeat(500_000)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function detached(name: string, flags: readonly string[], script = 'sleep 1000'): Promise<void> {
  await bed.box.ok(['run', '-d', '--name', name, ...flags, bed.image('busybox'), 'sh', '-c', script]);
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
}

/** How many bytes of the page a container gets. */
async function fetched(name: string, target: string): Promise<number> {
  const script = `timeout 20 wget -q -O - http://${target}/ 2>/dev/null | wc -c`;
  return Number(await bed.box.ok(['exec', name, 'sh', '-c', script]));
}

async function audit(name: string): Promise<Record<string, unknown>[]> {
  const lines = (await bed.box.ok(['network', 'audit', '--format', 'json', name])).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('--egress', () => {
  test('a name is allowed on its port, the rest is refused at once and on record', async () => {
    await detached('strict', ['--egress', `allow=${host}:${port}`]);
    const gateway = await bed.box.inspect('strict', '{{.NetworkSettings.Gateway}}');
    // It has not been told that address yet.
    expect(await fetched('strict', `${gateway}:${port}`)).toBe(0);
    expect(await fetched('strict', `${host}:${port}`)).toBe(500_000);
    expect(await fetched('strict', `${host}:${port === 65535 ? 1 : port + 1}`)).toBe(0);
    expect(await fetched('strict', '192.0.2.1')).toBe(0);
    expect((await bed.box.trun(['exec', 'strict', 'nslookup', 'leak.example'])).status).not.toBe(0);
    const entries = await audit('strict');
    expect(entries).toContainEqual(
      expect.objectContaining({ action: 'deny', protocol: 'tcp', address: gateway, port }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({ action: 'allow', protocol: 'tcp', port, name: host, rule: `${host}:${port}` }),
    );
    expect(entries).toContainEqual(expect.objectContaining({ action: 'deny', address: '192.0.2.1', port: 80 }));
    expect(entries).toContainEqual(expect.objectContaining({ action: 'deny', protocol: 'dns', name: 'leak.example' }));
    expect(await bed.box.ok('network audit strict')).toMatch(/ deny tcp 192\.0\.2\.1:80$/m);
  });

  test('rules that deny come first, may be changed while it runs, and come back with it', async () => {
    await detached('changing', ['--egress', `deny=*:${port}/tcp`]);
    expect(await fetched('changing', `${host}:${port}`)).toBe(0);
    await bed.box.ok(['network', 'limit', '--egress', 'deny=192.0.2.0/24', 'changing']);
    expect(await fetched('changing', `${host}:${port}`)).toBe(500_000);
    await bed.box.ok(['network', 'limit', '--egress', 'deny=*', 'changing']);
    await bed.box.ok('restart -t 0 changing');
    expect(await fetched('changing', `${host}:${port}`)).toBe(0);
    const killed = bed.box.servers('agent', 'network process').map(({ pid }) => pid);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await waitFor('a new network process', () => {
      const now = bed.box.servers('agent', 'network process').map(({ pid }) => pid);
      return now.length >= killed.length && !now.some((pid) => killed.includes(pid));
    });
    expect(await fetched('changing', `${host}:${port}`)).toBe(0);
    await bed.box.ok('network limit --reset changing');
    expect(await fetched('changing', `${host}:${port}`)).toBe(500_000);
  });

  test.each([
    [['--egress', 'x'], /invalid argument "x" for "--egress" flag/],
    [['--network', 'host', '--egress', 'deny=*'], /conflicting options/],
    [['--net-rate', 'fast'], /'fast' is no rate/],
  ])('%j is one clear line', async (flags, pattern) => {
    const { status, stderr } = await bed.box.trun(['run', '--rm', ...flags, bed.image('busybox'), 'true']);
    expect(status).toBe(125);
    expect(stderr).toMatch(pattern);
  });
});

describe('--net-rate, --net-delay, --net-loss', () => {
  test('hold a container to it, and nobody else; network limit changes them', async () => {
    await detached('slow', ['--net-rate', '8mbit', '--net-delay', '60ms']);
    await detached('quick', []);
    const gateway = await bed.box.inspect('slow', '{{.NetworkSettings.Gateway}}');
    /** The shortest of three round trips, in ms. */
    async function roundTrip(name: string): Promise<number> {
      const printed = await bed.box.ok(['exec', name, 'ping', '-c', '3', '-i', '0.2', gateway]);
      return Number(/min\/avg\/max = ([\d.]+)/.exec(printed)?.[1]);
    }
    const delayed = await roundTrip('slow');
    expect(delayed).toBeGreaterThanOrEqual(120);
    expect(await roundTrip('quick')).toBeLessThan(delayed);
    const begun = performance.now();
    expect(await fetched('slow', `${host}:${port}`)).toBe(500_000);
    // 4 Mbit at 8 Mbit/s.
    expect(performance.now() - begun).toBeGreaterThan(500);
    expect(await bed.box.ok('network limit slow')).toBe('rate 8mbit\ndelay 60ms\nloss 0%');
    await bed.box.ok('network limit --net-delay 0 --net-rate 0 slow');
    expect(await roundTrip('slow')).toBeLessThan(delayed);
    await bed.box.ok('network limit --net-loss 100% slow');
    expect((await bed.box.trun(['exec', 'slow', 'ping', '-c', '1', '-W', '1', gateway])).status).not.toBe(0);
    expect(await roundTrip('quick')).toBeLessThan(delayed);
  });
});

const httpd = 'echo served >/var/www/index.html; exec httpd -f -p 80 -h /var/www';

describe('IPv6', () => {
  const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

  test('containers have addresses, names and a way to the gateway', async () => {
    await bed.box.ok('network create --ipv6 --subnet 10.210.0.0/24 --subnet fd42:1::/64 six');
    onTestFinished(async () => {
      await bed.box.trun('network rm six');
    });
    const publish = hasIpv6 ? ['-p', '[::1]::80'] : [];
    await detached('web6', ['--network', 'six', ...publish], httpd.replace('-p 80', '-p [::]:80'));
    await detached('client6', ['--network', 'name=six,ip6=fd42:1::77']);
    expect(await bed.box.inspect('web6', '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}')).toBe('fd42:1::2');
    expect(await bed.box.ok('exec client6 ip -6 addr show eth0')).toContain('fd42:1::77/64');
    expect(await bed.box.ok('exec client6 ip -6 route')).toMatch(/default via fd42:1::1 dev eth0/);
    expect(await bed.box.ok('exec client6 nslookup web6')).toContain('fd42:1::2');
    expect(await bed.box.ok('exec client6 nslookup fd42:1::2')).toContain('web6.six');
    expect(await bed.box.ok('exec client6 ping -6 -c 1 -W 5 fd42:1::1')).toMatch(/1 packets received/);
    const page = await waitFor('the page', async () => {
      const { status, stdout } = await bed.box.trun([
        'exec',
        'client6',
        'wget',
        '-q',
        '-O',
        '-',
        'http://[fd42:1::2]/',
      ]);
      return status === 0 ? stdout : undefined;
    });
    expect(page).toBe('served\n');
    if (!hasIpv6) return;
    const bound = (await bed.box.ok('port web6 80')).split('\n').at(-1)!;
    expect(bound).toMatch(/^\[::1\]:\d+$/);
    expect(
      await waitFor('the page', () =>
        fetch(`http://${bound}/`).then(
          (answer) => answer.text(),
          () => undefined,
        ),
      ),
    ).toBe('served\n');
  });

  test('and the host’s own servers, by its address', async ({ skip }) => {
    if (!hasIpv6) skip('the host has no IPv6');
    const server6 = createServer((_, response) => response.end('six'));
    await new Promise<void>((resolve) => server6.listen(0, '::1', resolve));
    onTestFinished(() => void server6.close());
    await bed.box.ok('network create --ipv6 out6');
    onTestFinished(async () => {
      await bed.box.trun('network rm out6');
    });
    await detached('outward6', ['--network', 'out6']);
    const gateway = await bed.box.inspect('outward6', '{{.NetworkSettings.Networks.out6.IPv6Gateway}}');
    const target = `http://[${gateway}]:${(server6.address() as AddressInfo).port}/`;
    expect(await bed.box.ok(['exec', 'outward6', 'timeout', '5', 'wget', '-q', '-O', '-', target])).toBe('six');
  });
});

describe('network capture', () => {
  test('records every packet of a container, also to others of its network, in pcapng', async () => {
    await bed.box.ok('network create captured');
    onTestFinished(async () => {
      await bed.box.trun('network rm captured');
    });
    await detached('server', ['--network', 'captured'], httpd);
    await detached('seen', ['--network', 'captured']);
    const file = join(bed.box.folder, 'seen.pcapng');
    const capture = bed.box.start(['network', 'capture', '-w', file, 'seen']);
    await waitFor('the capture', () => capture.stderr.includes('capturing'));
    await waitFor('the page', async () => (await fetched('seen', 'server')) > 0);
    capture.kill('SIGINT');
    const { status, stderr } = await capture.result;
    expect(stderr).toMatch(/^\d+ packets captured, 0 packets dropped by kernel$/m);
    expect(status).toBe(0);
    const bytes = readFileSync(file);
    expect(bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
    expect(bytes.includes('GET / HTTP')).toBe(true);
    const { status: read, stdout } = await run('tcpdump', ['-n', '-r', file]).catch(() => ({ status: -1, stdout: '' }));
    if (read === 0) expect(stdout).toMatch(/IP 10\.[\d.]+ > 10\.[\d.]+\.80: Flags \[S\]/);
  });

  test('ends after so many packets, and with the container', async () => {
    await detached('pinged', []);
    const gateway = await bed.box.inspect('pinged', '{{.NetworkSettings.Gateway}}');
    const counted = bed.box.start(['network', 'capture', '-c', '2', '-w', '-', 'pinged']);
    await waitFor('the capture', () => counted.stderr.includes('capturing'));
    await bed.box.ok(['exec', 'pinged', 'ping', '-c', '2', gateway]);
    expect((await counted.result).stderr).toMatch(/^2 packets captured/m);
    const lasting = bed.box.start(['network', 'capture', '-w', '/dev/null', 'pinged']);
    await waitFor('the capture', () => lasting.stderr.includes('capturing'));
    await bed.box.ok('kill pinged');
    expect((await lasting.result).status).toBe(0);
    expect((await bed.box.trun('network capture -w /dev/null pinged')).stderr).toMatch(/is not running/);
  });
});

describe('network top', () => {
  test('shows connections of both directions with what has gone through them', async () => {
    // A server of a container that answers after a line, and holds on.
    await detached(
      'listening',
      ['-p', '127.0.0.1::7000'],
      'nc -l -p 7000 -e sh -c "read line; printf 12345; sleep 1000"',
    );
    const published = Number((await bed.box.ok('port listening 7000')).split(':').at(-1));
    const inward = await waitFor('an answer', async () => {
      const socket = connect(published, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('a line\n');
      const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      return answer[0] instanceof Buffer ? socket : undefined;
    });
    onTestFinished(() => void inward.destroy());
    const holding = createTcpServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => holding.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void holding.close());
    const target = (holding.address() as AddressInfo).port;
    const script = `(printf 0123456789; sleep 1000) | nc ${host} ${target}`;
    await detached('calling', [], script);
    interface Shown {
      readonly Container: string;
      readonly Direction: string;
      readonly State: string;
      readonly Peer: string;
      readonly SentBytes: number;
      readonly ReceivedBytes: number;
    }
    const rows = await waitFor('both connections', async () => {
      const lines = (await bed.box.ok('network top --no-stream --format json')).split('\n');
      const shown = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Shown);
      const found = shown.filter(({ State, SentBytes }) => State === 'ESTABLISHED' && SentBytes > 0);
      return found.length >= 2 ? found : undefined;
    });
    expect(rows.find(({ Container }) => Container === 'listening')).toMatchObject({
      Direction: '<-',
      SentBytes: 5,
      ReceivedBytes: 7,
    });
    const calling = rows.find(({ Container }) => Container === 'calling');
    expect(calling).toMatchObject({ Direction: '->', SentBytes: 10, ReceivedBytes: 0 });
    expect(calling?.Peer).toMatch(new RegExp(`:${target}$`));
    const printed = await bed.box.ok('network top --no-stream calling');
    expect(printed).toMatch(/^bridge: .* from, .* to containers, tcp \d+ /);
    expect(printed).toMatch(/^NETWORK +CONTAINER +PROTO/m);
    expect(printed).not.toContain('listening');
  });
});

describe('-P', () => {
  test('publishes what --expose names, and nothing twice', async () => {
    await detached('exposing', ['-P', '--expose', '80', '--expose', '7000-7001/udp', '-p', '127.0.0.1::80'], httpd);
    const lines = (await bed.box.ok('port exposing')).split('\n').filter((line) => !line.includes('[::]'));
    expect(lines.map((line) => line.replace(/\d+$/, ''))).toEqual([
      '80/tcp -> 127.0.0.1:',
      '7000/udp -> 0.0.0.0:',
      '7001/udp -> 0.0.0.0:',
    ]);
  });
});
