/**
 * The network as a container and the host see it. The outside is a server of the test's own on the host's loopback,
 * which a container reaches as host.docker.internal.
 *
 * Runs as: user, nosub
 */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../helpers/registry.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });
const payload = randomBytes(10_000_000);
const payloadSum = createHash('sha256').update(payload).digest('hex');
let count = 0;

/** GET /payload sends 10 MB; a POST is answered with the sum of what came; anything else with the request's path. */
const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.end(request.url === '/payload' ? payload : `path ${request.url}\n`);
    return;
  }
  const hash = createHash('sha256');
  request.on('data', (chunk: Buffer) => hash.update(chunk));
  request.on('end', () => response.end(`${hash.digest('hex')}\n`));
});
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function busybox(options: readonly string[], script: string): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, bed.image('busybox'), 'sh', '-c', script]);
}

async function detached(options: readonly string[], script: string): Promise<string> {
  const name = `net-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, bed.image('busybox'), 'sh', '-c', script]);
  return name;
}

async function get(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  return answer.text();
}

const httpd = 'exec httpd -f -p 80 -h /var/www';

describe('from a container', () => {
  test('an interface with an address, a default route, a name server', async () => {
    const printed = await busybox([], 'ip -4 addr show dev eth0; ip route; cat /etc/resolv.conf');
    expect(printed).toMatch(/inet \d+\.\d+\.\d+\.\d+\/\d+/);
    expect(printed).toMatch(/default via \d+\.\d+\.\d+\.\d+ dev eth0/);
    expect(printed).toMatch(/^nameserver \d/m);
    expect(await busybox([], 'ip -4 addr show dev lo')).toContain('127.0.0.1/8');
  });

  test('TCP to the host', async () => {
    expect(await busybox([], `wget -q -O - http://host.docker.internal:${port}/x`)).toBe('path /x');
  });

  test('10 MB down, 10 MB up, whole', async () => {
    const url = `http://host.docker.internal:${port}`;
    expect(await busybox([], `wget -q -O - ${url}/payload | sha256sum`)).toContain(payloadSum);
    // Not by wget --post-file: busybox's stops at the first zero byte.
    const head = `POST /up HTTP/1.1\\r\\nHost: host\\r\\nContent-Length: ${payload.length}\\r\\nConnection: close\\r\\n\\r\\n`;
    const script = `wget -q -O /tmp/f ${url}/payload; (printf '${head}'; cat /tmp/f) | nc host.docker.internal ${port} | tail -n 1`;
    expect(await busybox([], script)).toBe(payloadSum);
  });

  test('20 connections at once', async () => {
    const one = `wget -q -O - http://host.docker.internal:${port}/`;
    const script = `for i in $(seq 20); do ${one}$i & done; wait`;
    const lines = (await busybox([], script)).split('\n').sort();
    expect(lines).toEqual(Array.from({ length: 20 }, (_, index) => `path /${index + 1}`).sort());
  });

  test('UDP to the host and back', async () => {
    const socket = createSocket('udp4');
    onTestFinished(() => {
      socket.close();
    });
    socket.on('message', (message, from) => socket.send(`echo ${message.toString()}`, from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    // bash of the host image, since Debian's busybox has no UDP client.
    const target = `/dev/udp/host.docker.internal/${socket.address().port}`;
    // A datagram may be lost: ask again.
    const script = `exec 3<>${target}; for i in 1 2 3 4 5; do printf ping >&3; timeout 2 head -c 9 <&3 && exit; done; exit 1`;
    expect(await bed.box.ok(['run', '--rm', 'host', 'bash', '-c', script])).toBe('echo ping');
  });

  test('a half-closed connection still receives', async () => {
    // The server answers only after it has seen the end of what it is sent.
    const tcp = createTcpServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('end', () => socket.end(`got ${text}`));
    });
    onTestFinished(() => {
      tcp.close();
    });
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const target = `host.docker.internal ${(tcp.address() as AddressInfo).port}`;
    expect(
      await bed.box.ok(['run', '-i', '--rm', bed.image('busybox'), 'sh', '-c', `nc ${target}`], { input: 'all' }),
    ).toBe('got all');
  });

  test('a closed port refuses at once', async () => {
    const closed = await freePort();
    const { status, milliseconds } = await bed.box.trun([
      'run',
      '--rm',
      bed.image('busybox'),
      'wget',
      '-q',
      '-O',
      '-',
      `http://host.docker.internal:${closed}/`,
    ]);
    expect(status).not.toBe(0);
    expect(milliseconds).toBeLessThan(8000);
  });

  test("its own loopback is not the host's", async () => {
    const script = `timeout 4 wget -q -O - http://127.0.0.1:${port}/ 2>&1; echo $?`;
    expect((await busybox([], script)).split('\n').at(-1)).not.toBe('0');
  });

  test('the gateway answers a ping', async () => {
    const script = `ping -c 2 -W 3 $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')`;
    expect(await busybox([], script)).toMatch(/2 packets received/);
  });

  test('an unknown name is one, quickly', async () => {
    const { status, stdout, stderr, milliseconds } = await bed.box.trun(
      ['run', '--rm', bed.image('busybox'), 'nslookup', 'no-such-name.invalid'],
      { timeout: 40_000 },
    );
    expect(status).not.toBe(0);
    expect(stdout + stderr).toMatch(/NXDOMAIN|can't find|can't resolve|SERVFAIL/i);
    expect(milliseconds).toBeLessThan(30_000);
  });

  test('containers reach each other', async () => {
    const name = await detached([], httpd);
    const address = await bed.box.inspect(name, '{{.NetworkSettings.IPAddress}}');
    expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    const script = `for i in 1 2 3 4 5; do timeout 4 wget -q -O - http://${address}/ && break; sleep 0.3; done`;
    expect(await busybox([], script)).toBe('served by busybox');
  });
});

describe('-p', () => {
  test('the host reaches the container', async () => {
    const host = await freePort();
    const name = await detached(['-p', `${host}:80`], httpd);
    const page = await waitFor('the page', () => get(`http://127.0.0.1:${host}/`).catch(() => undefined));
    expect(page).toBe('served by busybox\n');
    expect(await bed.box.ok(['ps', '--format', '{{.Ports}}'])).toContain(`0.0.0.0:${host}->80/tcp`);
    const ports = JSON.parse(await bed.box.inspect(name, '{{json .NetworkSettings.Ports}}')) as Record<string, unknown>;
    expect(ports['80/tcp']).toContainEqual({ HostIp: '0.0.0.0', HostPort: String(host) });
  });

  test('on one address alone, on a port that trun chooses', async () => {
    const name = await detached(['-p', '127.0.0.1::80'], httpd);
    const ports = JSON.parse(await bed.box.inspect(name, '{{json .NetworkSettings.Ports}}')) as Record<
      string,
      { HostIp: string; HostPort: string }[]
    >;
    const [binding] = ports['80/tcp']!;
    expect(binding!.HostIp).toBe('127.0.0.1');
    const page = await waitFor('the page', () => get(`http://127.0.0.1:${binding!.HostPort}/`).catch(() => undefined));
    expect(page).toBe('served by busybox\n');
  });

  test('over UDP', async () => {
    const host = await freePort();
    const echo =
      'my $s = IO::Socket::INET->new(LocalPort => 9000, Proto => "udp"); my $m; while ($s->recv($m, 2000)) { $s->send($m) }';
    const words = ['-p', `127.0.0.1:${host}:9000/udp`, 'host', 'perl', '-MIO::Socket::INET', '-e', echo];
    await bed.box.ok(['run', '-d', '--name', 'udp-echo', ...words]);
    onTestFinished(async () => {
      await bed.box.trun('rm -f udp-echo');
    });
    const socket = createSocket('udp4');
    onTestFinished(() => {
      socket.close();
    });
    let answer = '';
    socket.on('message', (message) => (answer = message.toString()));
    await waitFor(
      'the echo',
      () => {
        socket.send('over udp', host, '127.0.0.1');
        return answer === 'over udp';
      },
      { interval: 300 },
    );
  });

  test('a large answer is whole, 10 clients at once', async () => {
    const host = await freePort();
    await detached(['-p', `127.0.0.1:${host}:80`], `head -c 3000000 /dev/zero >/var/www/zeros; ${httpd}`);
    await waitFor('the server', () => get(`http://127.0.0.1:${host}/`).catch(() => undefined));
    const bodies = await Promise.all(
      Array.from({ length: 10 }, () => fetch(`http://127.0.0.1:${host}/zeros`).then((answer) => answer.arrayBuffer())),
    );
    expect(bodies.map((body) => body.byteLength)).toEqual(Array<number>(10).fill(3_000_000));
  });

  test('is free again when the container has ended, and taken again when it starts', async () => {
    const host = await freePort();
    const name = await detached(['-p', `127.0.0.1:${host}:80`], httpd);
    await waitFor('the page', () => get(`http://127.0.0.1:${host}/`).catch(() => undefined));
    await bed.box.ok(['kill', name]);
    await bed.box.ok(['wait', name]);
    await waitFor('the port to be free', () => isRefused(host));
    await bed.box.ok(['start', name]);
    await waitFor('the page', () => get(`http://127.0.0.1:${host}/`).catch(() => undefined));
  });

  test('an occupied port is one clear line, 125, and leaves nothing', async () => {
    const before = await bed.box.ok('ps -a -q');
    const words = ['run', '--rm', '-d', '-p', `127.0.0.1:${port}:80`, bed.image('busybox'), 'sleep', '100'];
    const { status, stderr } = await bed.box.trun(words);
    expect(status).toBe(125);
    expect(stderr).toMatch(new RegExp(`${port}.*(already allocated|already in use|EADDRINUSE)`));
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(await bed.box.ok('ps -a -q')).toBe(before);
  });

  test.each(['x:80', '99999:80', '80:', '1:2:3:4', '80/sctp'])('%s is no port', async (value) => {
    const { status, stderr } = await bed.box.trun(['run', '--rm', '-p', value, bed.image('busybox'), 'true']);
    expect(status).toBe(125);
    expect(stderr).not.toBe('');
  });
});

function isRefused(host: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(host, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}

describe('--network', () => {
  test('none has a loopback alone', async () => {
    const printed = await busybox(['--network', 'none'], 'ls /sys/class/net; ip -4 addr show dev lo');
    expect(printed.split('\n')[0]).toBe('lo');
    expect(printed).not.toContain('eth0');
    expect(printed).toContain('127.0.0.1/8');
  });

  test("host is the host's own", async () => {
    const printed = await busybox(
      ['--network', 'host'],
      `readlink /proc/self/ns/net; wget -q -O - http://127.0.0.1:${port}/h`,
    );
    expect(printed).toBe(`${readlinkSync('/proc/self/ns/net')}\npath /h`);
  });

  test("container:NAME is another container's", async () => {
    const name = await detached([], httpd);
    const script = 'for i in 1 2 3 4 5; do timeout 4 wget -q -O - http://127.0.0.1/ && break; sleep 0.3; done';
    expect(await busybox(['--network', `container:${name}`], script)).toBe('served by busybox');
  });

  test('an unknown one is an error', async () => {
    const { status, stderr } = await bed.box.trun([
      'run',
      '--rm',
      '--network',
      'nowhere',
      bed.image('busybox'),
      'true',
    ]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/nowhere/);
  });
});

describe('names', () => {
  test("the host's own names resolve as on the host", async () => {
    const name = /^search\s+(\S+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8'))?.[1];
    const printed = await busybox([], 'cat /etc/resolv.conf');
    if (name !== undefined) expect(printed).toContain(name);
    expect(await busybox([], 'grep host.docker.internal /etc/hosts || nslookup host.docker.internal')).toMatch(
      /\d+\.\d+\.\d+\.\d+/,
    );
  });
});
