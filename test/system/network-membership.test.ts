/**
 * What is on record of a container's networks, what it is told of them, and what a client notices of a network process that is
 * killed.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { unmet } from '../helpers/requirements.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });

async function makeNetwork(name: string): Promise<string> {
  const id = await bed.box.ok(['network', 'create', name]);
  onTestFinished(async () => {
    await bed.box.trun(['network', 'rm', '-f', name]);
  });
  return id;
}

async function detached(name: string, flags: readonly string[], image = bed.image('busybox')): Promise<string> {
  const id = await bed.box.ok(['run', '-d', '--name', name, ...flags, image, 'sleep', '1000']);
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  return id;
}

test('--link on the default network tells the other’s ports and environment in variables', async () => {
  const ports = ['-p', '127.0.0.1::53/udp', '--expose', '5432', '--expose', '80'];
  await detached('my-db', [...ports, '-e', 'POSTGRES_DB=app', '-e', 'HOME=/nowhere']);
  const address = await bed.box.inspect('my-db', '{{.NetworkSettings.IPAddress}}');
  await detached('web', ['--link', 'my-db', '-e', 'MY_DB_ENV_POSTGRES_DB=mine', '-e', 'X=y']);
  const expected = [
    'MY_DB_NAME=/web/my-db',
    `MY_DB_PORT=tcp://${address}:80`,
    `MY_DB_PORT_80_TCP=tcp://${address}:80`,
    `MY_DB_PORT_80_TCP_ADDR=${address}`,
    'MY_DB_PORT_80_TCP_PORT=80',
    'MY_DB_PORT_80_TCP_PROTO=tcp',
    `MY_DB_PORT_5432_TCP=tcp://${address}:5432`,
    'MY_DB_PORT_5432_TCP_PORT=5432',
    `MY_DB_PORT_53_UDP=udp://${address}:53`,
    // What its own user says comes before what another container has.
    'MY_DB_ENV_POSTGRES_DB=mine',
    'X=y',
  ];
  for (const script of ['cat /proc/1/environ | tr "\\0" "\\n"', 'env']) {
    const variables = (await bed.box.ok(['exec', 'web', 'sh', '-c', script])).split('\n');
    expect(variables).toEqual(expect.arrayContaining(expected));
    expect(variables.filter((each) => /^MY_DB_ENV_(HOME|PATH|HOSTNAME)=/.test(each))).toEqual([]);
  }
  await bed.box.ok('kill my-db');
  await bed.box.ok('wait my-db');
  expect(await bed.box.ok('exec web env')).not.toContain('MY_DB_NAME');
});

test('published ports are discarded with the host’s network, which create and run say', async () => {
  const warning = 'trun: WARNING: Published ports are discarded when using host network mode\n';
  const host = ['--network', 'host', '-p', '8080:80'];
  const ran = await bed.box.trun(['run', '--rm', ...host, bed.image('busybox'), 'true']);
  expect([ran.status, ran.stderr]).toEqual([0, warning]);
  const made = await bed.box.trun(['create', '--name', 'made', ...host, bed.image('busybox'), 'true']);
  expect([made.status, made.stderr]).toEqual([0, warning]);
  await bed.box.ok('rm made');
  expect((await bed.box.trun(['run', '--rm', '-P', bed.image('busybox'), 'true'])).stderr).toBe('');
});

test('ps finds the containers of a network by its id, too', async () => {
  const id = await makeNetwork('listed');
  await detached('on-it', ['--network', 'listed']);
  await detached('elsewhere', []);
  for (const value of ['listed', id, id.slice(0, 12)]) {
    expect(await bed.box.ok(['ps', '-f', `network=${value}`, '--format', '{{.Names}}'])).toBe('on-it');
  }
  expect(
    await bed.box.ok(['ps', '-q', '-f', `network=${id.replace(/^./, (digit) => (digit === 'f' ? '0' : 'f'))}`]),
  ).toBe('');
});

test('a start and an end are events of the networks', async () => {
  await makeNetwork('watched');
  const id = await detached('member', ['--network', 'bridge', '--network', 'watched']);
  await bed.box.ok('stop -t 0 member');
  // What is connected now is so from its next start on, and what is disconnected is said at once.
  await bed.box.ok('network disconnect bridge member');
  await bed.box.ok('start member');
  await bed.box.ok('kill member');
  await bed.box.ok('wait member');
  const format = '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}';
  const until = String(Math.ceil(Date.now() / 1000) + 1);
  const lines = await waitFor('the last event', async () => {
    const printed = await bed.box.ok(['events', '--since', '1', '--until', until, '--format', format]);
    const found = printed.split('\n').filter((line) => /^(network (dis)?connect|container (start|die)) /.test(line));
    return found.length >= 11 ? found.slice(-11) : undefined;
  });
  expect(lines).toEqual([
    'network connect bridge',
    'network connect watched',
    'container start member',
    'container die member',
    'network disconnect bridge',
    'network disconnect watched',
    'network disconnect bridge',
    'network connect watched',
    'container start member',
    'container die member',
    'network disconnect watched',
  ]);
  const of = ['events', '--since', '1', '--until', until, '-f', 'network=watched', '-f', 'event=connect'];
  expect(await bed.box.ok([...of, '--format', '{{.Actor.Attributes.container}}'])).toBe(`${id}\n${id}`);
});

/**
 * Connects whenever it is told to, and says how often the kernel has sent anything of that connection again (tcpi_total_retrans
 * of linux/tcp.h), of which the first time is after a second and the next two seconds later (RFC 6298).
 */
const COUNT_RETRIES = `
import socket, sys
print('ready', flush=True)
for line in sys.stdin:
  s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
  s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
  served = b'served' in s.recv(4096)
  info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
  print('served' if served else 'silence', int.from_bytes(info[100:104], sys.byteorder), flush=True)
`;

test('a connection that begins while the network process is dead is made with its first retry at the latest', async ({
  skip,
}) => {
  const reason = await unmet(['python3']);
  if (reason !== undefined) skip(reason);
  const server = createServer((_, response) => response.end('served'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await makeNetwork('killed');
  await detached('asking', ['--network', 'killed'], 'host');
  const gateway = await bed.box.inspect('asking', '{{.NetworkSettings.Networks.killed.Gateway}}');
  const target = [gateway, String((server.address() as AddressInfo).port)];
  const words = ['exec', '-i', 'asking', 'python3', '-c', COUNT_RETRIES, ...target];
  const client = bed.box.start(words, { interactive: true });
  await waitFor('the client', () => client.stdout.includes('ready'));
  for (let round = 1; round <= 3; round++) {
    const found = bed.box.servers('network process').find(({ command }) => command.includes('"network":"killed"'))!;
    process.kill(found.pid, 'SIGKILL');
    client.write('\n');
    const retries = await waitFor('the connection', () => client.stdout.trim().split('\n')[round], { timeout: 25_000 });
    expect(retries).toMatch(/^served [01]$/);
  }
  client.end();
  await client.result;
});
