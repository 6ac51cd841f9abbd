/**
 * Programs that people use, over trun's network: clients in a container with servers on the host's loopback, and clients on the
 * host with servers in a container behind published ports. All are the machine's own, run in the image `host`.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, userInfo } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { RunningCommand, run } from '../helpers/command.ts';
import { freePort } from '../helpers/registry.ts';
import { type Requirement, unmet } from '../helpers/requirements.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ requires: ['dev-net-tun'] });

const gatewayName = 'host.docker.internal';
const peers = join(import.meta.dirname, '../helpers/network-peers');
const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
const hasIpv6 = addresses.some(({ address }) => address === '::1');
/** One of the machine's own that is not its loopback. */
const ownAddress = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** One test, where the machine has the program. */
function testWith(
  needs: readonly Requirement[],
  name: string,
  body: (skip: TestContext['skip']) => Promise<void>,
): void {
  test(name, async ({ skip }) => {
    const reason = await unmet(needs);
    if (reason !== undefined) skip(reason);
    await body(skip);
  });
}

beforeAll(async () => {
  if (!bed.isOpen) return;
  await bed.box.ok(['run', '-d', '--init', '--name', 'client', 'host', 'sleep', '1000']);
});

/** Runs a script in the container of the clients. */
function inside(script: string, ...words: readonly string[]): Promise<string> {
  return bed.box.ok(['exec', 'client', 'sh', '-ec', script, 'sh', ...words]);
}

/** A server on the host, until the test ends. */
function serve(file: string, ...args: readonly string[]): RunningCommand {
  const server = new RunningCommand(file, args, { env: { ...bed.box.env, PATH: `${bed.box.env['PATH']}:/usr/sbin` } });
  onTestFinished(async () => {
    server.kill();
    await server.result.catch(() => undefined);
  });
  return server;
}

/** A container with a server behind a published port of the host's loopback; returns that port. */
async function servePublished(name: string, port: number, words: readonly string[]): Promise<number> {
  await bed.box.ok(['run', '-d', '--name', name, '-p', `127.0.0.1::${port}`, 'host', ...words]);
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  return publishedPort(name, port);
}

async function publishedPort(name: string, port: number): Promise<number> {
  return Number((await bed.box.ok(['port', name, String(port)])).split(':').at(-1));
}

/** Runs a client on the host until its server answers. */
function untilServed(file: string, ...args: readonly string[]): Promise<string> {
  return waitFor(file, async () => {
    const { status, stdout } = await run(file, args, { env: bed.box.env, timeout: 20_000 });
    return status === 0 ? stdout : undefined;
  });
}

/** The same, in the container of the clients. */
function untilServedInside(script: string, ...words: readonly string[]): Promise<string> {
  return waitFor(script, async () => {
    const { status, stdout } = await bed.box.trun(['exec', 'client', 'sh', '-ec', script, 'sh', ...words]);
    return status === 0 ? stdout : undefined;
  });
}

describe('HTTP, HTTP/2 and WebSocket', () => {
  const serveFile = join(peers, 'serve.ts');
  const askFile = join(peers, 'ask.ts');
  const expected = { http2: '20 streams', websocket: '3 messages, closed with 1000' };

  async function ports(server: RunningCommand): Promise<[string, string]> {
    const [, http, http2] = await waitFor('the server', () => /^(\d+) (\d+)$/m.exec(server.stdout));
    return [http!, http2!];
  }

  testWith(['curl'], 'from a container to the host', async () => {
    const [http, http2] = await ports(serve(process.execPath, serveFile));
    const body = randomBytes(2_000_000);
    const file = join(bed.box.home, 'body');
    writeFileSync(file, body);
    const sum = createHash('sha256').update(body).digest('hex');
    expect(await inside('curl -sS --data-binary @"$1" "$2"', file, `http://${gatewayName}:${http}/`)).toBe(sum);
    const ask = '"$@"';
    expect(await inside(ask, process.execPath, askFile, 'http2', gatewayName, http2)).toBe(expected.http2);
    expect(await inside(ask, process.execPath, askFile, 'websocket', gatewayName, http)).toBe(expected.websocket);
  });

  testWith(['curl'], 'from the host to a container, which sees who asks', async () => {
    const publish = [
      '-p',
      '127.0.0.1::8080',
      '-p',
      '127.0.0.1::8081',
      ...(ownAddress ? ['-p', `${ownAddress}::8080`] : []),
    ];
    await bed.box.ok([
      'run',
      '-d',
      '--name',
      'served',
      ...publish,
      'host',
      process.execPath,
      serveFile,
      '8080',
      '8081',
    ]);
    onTestFinished(async () => {
      await bed.box.trun('rm -f served');
    });
    await waitFor('the server', async () => (await bed.box.ok('logs served')) !== '');
    const bound = (await bed.box.ok('port served 8080')).split('\n');
    const local = bound.find((address) => address.startsWith('127.'))!;
    const http2 = await publishedPort('served', 8081);
    const gateway = await bed.box.inspect('served', '{{.NetworkSettings.Gateway}}');
    expect((await run('curl', ['-sS', `http://${local}/`])).stdout).toBe(`${gateway}\n`);
    const asked = { http2: String(http2), websocket: local.split(':')[1]! };
    for (const [kind, port] of Object.entries(asked)) {
      const { stdout } = await run(process.execPath, [askFile, kind, '127.0.0.1', port]);
      expect(stdout.trim()).toBe(expected[kind as keyof typeof asked]);
    }
    if (ownAddress === undefined) return;
    const public_ = bound.find((address) => address.startsWith(ownAddress))!;
    expect((await run('curl', ['-sS', `http://${public_}/`])).stdout).toBe(`${ownAddress}\n`);
  });
});

testWith(['python3'], 'a server on UDP sees the address of who asks', async (skip) => {
  if (ownAddress === undefined) return skip('the machine has no address but its loopback’s');
  const answer =
    'import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(("", 7000))\nwhile True:\n  m, peer = s.recvfrom(99)\n  s.sendto(("%s %d" % peer).encode(), peer)';
  await bed.box.ok([
    'run',
    '-d',
    '--name',
    'datagrams',
    '-p',
    `${ownAddress}::7000/udp`,
    'host',
    'python3',
    '-c',
    answer,
  ]);
  onTestFinished(async () => {
    await bed.box.trun('rm -f datagrams');
  });
  const port = (await bed.box.ok('port datagrams 7000/udp')).split(':').at(-1)!;
  const ask =
    'import socket, sys\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.settimeout(1)\ns.connect((sys.argv[1], int(sys.argv[2])))\ns.send(b"?")\nprint(s.recv(99).decode() == "%s %d" % s.getsockname())';
  expect(await untilServed('python3', '-c', ask, ownAddress, port)).toBe('True\n');
});

describe('iperf3', () => {
  const bytes = 20_000_000;

  /** A sender stops when it has sent all, and then counts what has arrived: much is under way. */
  function expectWhole(report: string): void {
    const { end } = JSON.parse(report) as { end: Record<'sum_sent' | 'sum_received', { bytes: number }> };
    expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(bytes);
    expect(end.sum_received.bytes).toBeGreaterThan(0);
  }

  testWith(['iperf3'], 'both ways from a container, four streams, and UDP', async () => {
    const port = String(await freePort());
    serve('iperf3', '-s', '-B', '127.0.0.1', '-p', port);
    const client = `iperf3 -c ${gatewayName} -J -p "$@"`;
    for (const flags of [[], ['-R'], ['-P', '4']]) {
      const report = await untilServedInside(client, port, '-n', String(bytes), ...flags);
      expectWhole(report);
    }
    const udp = await inside(client, port, '-u', '-b', '20M', '-t', '1', '-l', '1200');
    expect((JSON.parse(udp) as { end: { sum: { packets: number } } }).end.sum.packets).toBeGreaterThan(100);
  });

  testWith(['iperf3'], 'both ways through a published port', async () => {
    const port = String(await servePublished('iperf', 5201, ['iperf3', '-s']));
    for (const flags of [[], ['-R']]) {
      const report = await untilServed('iperf3', '-c', '127.0.0.1', '-J', '-p', port, '-n', String(bytes), ...flags);
      expectWhole(report);
    }
  });
});

testWith(['git'], 'git clone, both ways', async () => {
  const base = join(bed.box.home, 'git');
  const repository = join(base, 'repository');
  mkdirSync(repository, { recursive: true });
  function git(...args: readonly string[]): string {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org'];
    return execFileSync('git', ['-C', repository, ...identity, ...args], { encoding: 'utf8', env: bed.box.env });
  }
  git('init', '-q');
  writeFileSync(join(repository, 'large'), randomBytes(3_000_000));
  git('add', '.');
  git('commit', '-q', '-m', 'a commit');
  const commit = git('rev-parse', 'HEAD');
  const daemon = 'daemon --export-all --reuseaddr';
  const port = await freePort();
  // Not by way of git, whose child would outlive it.
  const program = join(git('--exec-path').trim(), 'git-daemon');
  serve(program, ...daemon.split(' ').slice(1), `--base-path=${base}`, '--listen=127.0.0.1', `--port=${port}`);
  const clone = 'rm -rf /tmp/c; git clone -q "$1" /tmp/c && git -C /tmp/c fsck && git -C /tmp/c rev-parse HEAD';
  expect(await untilServedInside(clone, `git://${gatewayName}:${port}/repository`)).toBe(commit);

  // Git serves nobody else's files, and inside they are another's: a copy is its own.
  const words = ['sh', '-c', `cp -r ${base} /srv/git && exec git ${daemon} --base-path=/srv/git`];
  const published = await servePublished('git', 9418, words);
  const copy = join(bed.box.home, 'copy');
  await untilServed('git', 'clone', '-q', `git://127.0.0.1:${published}/repository`, copy);
  expect(execFileSync('git', ['-C', copy, 'rev-parse', 'HEAD'], { encoding: 'utf8' })).toBe(commit);
});

testWith(['ssh'], 'ssh, both ways, with a terminal and with a megabyte through it', async () => {
  const folder = join(bed.box.home, 'ssh');
  mkdirSync(folder, { mode: 0o700 });
  const [hostKey, key] = ['host', 'user'].map((name) => {
    const file = join(folder, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    return file;
  });
  // Without root a server lets its own user in, by keys: PAM and the check of who owns what is around them are root's affairs.
  const options = [
    'StrictModes=no',
    'UsePAM=no',
    'PidFile=none',
    'PermitRootLogin=yes',
    `AuthorizedKeysFile=${key}.pub`,
  ];
  const server = [
    '/usr/sbin/sshd',
    '-D',
    '-e',
    '-f',
    '/dev/null',
    '-h',
    hostKey!,
    ...options.flatMap((each) => ['-o', each]),
  ];
  const client = [
    '-F',
    '/dev/null',
    '-i',
    key!,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-q',
  ];
  const port = String(await freePort());
  serve(server[0]!, ...server.slice(1), '-o', `ListenAddress=127.0.0.1:${port}`);
  const target = `${userInfo().username}@${gatewayName}`;
  // The key's file has another owner inside.
  const ssh = `cp ${key} /tmp/key; chmod 600 /tmp/key; ssh -i /tmp/key "$@"`;
  expect(await untilServedInside(ssh, ...client, '-p', port, target, 'echo from the host')).toBe('from the host\n');
  const through = `${ssh.replace('ssh -i', 'head -c 1000000 /dev/zero | ssh -i')} | wc -c`;
  expect((await inside(through, ...client, '-p', port, target, 'cat')).trim()).toBe('1000000');

  // A root without a password is locked, to a server that has no PAM.
  const unlocked = "printf 'root:x:1::::::\\n' >/tmp/shadow && mv /tmp/shadow /etc/shadow && mkdir -p /run/sshd";
  const words = ['sh', '-c', `${unlocked} && exec "$@"`, 'sh', ...server, '-p', '2222'];
  const published = String(await servePublished('sshd', 2222, words));
  const asked = await untilServed('ssh', ...client, '-tt', '-p', published, 'root@127.0.0.1', 'id -u; tty');
  expect(asked).toMatch(/^0\r?\n\/dev\/pts\/\d+/m);
});

testWith(['dig'], 'names over UDP and over TCP', async () => {
  const gateway = await bed.box.inspect('client', '{{.NetworkSettings.Gateway}}');
  for (const transport of ['+notcp', '+tcp']) {
    const dig = `dig @${gateway} ${transport} +tries=2`;
    expect(await inside(`${dig} +short ${gatewayName}`)).toBe(gateway);
    // Several questions of one connection, and an answer that there is none.
    const printed = await inside(`${dig} +keepopen ${gatewayName} A ${gatewayName} AAAA client.invalid A`);
    expect(printed.match(/status: NOERROR/g)).toHaveLength(2);
    expect(printed.match(transport === '+tcp' ? /\(TCP\)$/gm : /\(UDP\)$/gm)).toHaveLength(3);
  }
});

testWith(['apt-get'], 'apt-get update', async () => {
  const entry =
    'Package: probe\nVersion: 1.2.3\nArchitecture: all\nMaintainer: t <t@example.org>\nFilename: ./probe.deb\nSize: 1\n';
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/Packages') === true) response.end(entry);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const script = `mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/partial
    echo 'deb [trusted=yes] http://${gatewayName}:${port}/ ./' >/tmp/apt/sources
    set -- -o Dir::Etc::SourceList=/tmp/apt/sources -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/tmp/apt/lists \
      -o Dir::Cache=/tmp/apt/cache -o Dir::Etc::Main=- -o Dir::Etc::Parts=- -o APT::Sandbox::User=root
    apt-get "$@" update && apt-cache "$@" policy probe`;
  expect(await inside(script)).toMatch(/Candidate: 1\.2\.3/);
});

testWith(['curl'], 'happy eyeballs: a client takes the version of IP that answers', async (skip) => {
  if (!hasIpv6) skip('the host has no IPv6');
  await bed.box.ok('network create --ipv6 --subnet 10.211.0.0/24 --subnet fd42:11::/64 both');
  onTestFinished(async () => {
    await bed.box.trun('network rm -f both');
  });
  const hosts = ['10.211.0.1', 'fd42:11::1'].flatMap((address) => ['--add-host', `both.example:${address}`]);
  await bed.box.ok(['run', '-d', '--init', '--name', 'eyes', '--network', 'both', ...hosts, 'host', 'sleep', '1000']);
  onTestFinished(async () => {
    await bed.box.trun('rm -f eyes');
  });
  for (const [listening, expected] of [
    ['127.0.0.1', '10.211.0.1'],
    ['::1', 'fd42:11::1'],
  ] as const) {
    const server = createServer((_, response) => response.end('served '));
    await new Promise<void>((resolve) => server.listen(0, listening, resolve));
    const url = `http://both.example:${(server.address() as AddressInfo).port}/`;
    const words = ['exec', 'eyes', 'curl', '-sS', '-m', '20', '-w', '%{remote_ip}', url];
    expect(await bed.box.ok(words)).toBe(`served ${expected}`);
    const script = `fetch('${url}').then((answer) => answer.text()).then(console.log)`;
    expect(await bed.box.ok(['exec', 'eyes', process.execPath, '-e', script])).toBe('served ');
    server.closeAllConnections();
    server.close();
  }
});
