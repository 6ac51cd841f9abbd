/** The examples do what their README says. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { sandboxObstacle } from './sandbox.ts';

const obstacle = sandboxObstacle();
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
const running: ChildProcess[] = [];

afterAll(() => running.forEach((child) => child.kill('SIGKILL')));

function inside(pid: number, script: string): string {
  const { stdout, stderr } = spawnSync(
    'nsenter',
    ['-t', String(pid), '-U', '-n', '--preserve-credentials', 'sh', '-c', script],
    {
      encoding: 'utf8',
    },
  );
  return stdout + stderr;
}

function start(program: string, args: readonly string[], fds: readonly 'pipe'[] = []): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', ...fds] });
  running.push(child);
  return child;
}

async function namespace(): Promise<number> {
  const child = start('unshare', ['-Urn', 'sh', '-c', 'echo ready; exec sleep infinity']);
  await once(child.stdout!, 'data');
  return child.pid!;
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe.skipIf(obstacle !== undefined)(`examples ${obstacle ?? ''}`, () => {
  it('netstack-ping answers ping', async () => {
    const program = join(EXAMPLES, 'netstack-ping', 'ping.ts');
    const child = start('unshare', ['-Urn', process.execPath, '--conditions=source', program]);
    await once(child.stdout!, 'data');
    const output = inside(
      child.pid!,
      'ip link set tap0 up; ip addr add 10.0.0.2/24 dev tap0; busybox ping -c 3 -i 0.2 10.0.0.1',
    );
    expect(output).toContain('3 packets received');
    // It is what the README shows.
    const readme = readFileSync(join(EXAMPLES, '..', 'netstack', 'README.md'), 'utf8');
    const code = readFileSync(program, 'utf8').replace(/^\/\*\*[^]*?\*\/\n/, '');
    expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``);
  });

  async function slirp(place: number | string, ...options: string[]): Promise<ChildProcess> {
    const args = [
      '--conditions=source',
      join(EXAMPLES, 'slirp', 'slirp.ts'),
      '--configure',
      '-r',
      '3',
      '-e',
      '4',
      ...options,
      String(place),
      'tap0',
    ];
    const child = start(process.execPath, args, ['pipe', 'pipe']);
    const [ready] = (await once(child.stdio[3] as Readable, 'data')) as [Buffer];
    expect(String(ready)).toBe('1');
    return child;
  }

  it('slirp configures the namespace, forwards, and leaves when told to', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined).resume(); // curl leaves as soon as it has the answer
      socket.end('from the host');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pid = await namespace();
    const child = await slirp(pid, '--mtu=9000');
    expect(inside(pid, 'ip addr show dev tap0')).toMatch(/mtu 9000[^]*10\.0\.2\.100\/24/);
    expect(inside(pid, 'busybox ping -c 1 -W 2 10.0.2.2')).toContain('1 packets received');
    const answer = start('nsenter', [
      '-t',
      String(pid),
      '-U',
      '-n',
      '--preserve-credentials',
      'curl',
      '-sS',
      '--http0.9',
      '-m',
      '5',
      `10.0.2.2:${port}`,
    ]);
    expect(String(((await once(answer.stdout!, 'data')) as [Buffer])[0])).toBe('from the host');
    server.close();
    const gone = once(child, 'exit');
    child.stdio[4]!.destroy();
    expect(await gone).toEqual([0, null]);
  });

  it('slirp publishes ports by its API socket, hands out addresses, and takes the namespace by its path', async () => {
    const pid = await namespace();
    const folder = mkdtempSync(join(tmpdir(), 'slirp-'));
    try {
      const socket = join(folder, 'api');
      const place = ['--netns-type=path', `--userns-path=/proc/${pid}/ns/user`];
      await slirp(`/proc/${pid}/ns/net`, ...place, '--macaddress=02:00:00:00:00:77', '--api-socket', socket);
      async function ask(request: string): Promise<unknown> {
        const client = connect(socket).setEncoding('utf8');
        let reply = '';
        client.on('data', (text: string) => (reply += text)).end(request);
        await once(client, 'close');
        return JSON.parse(reply);
      }
      expect(await ask('{"execute": ')).toEqual({ error: { desc: 'bad request: cannot parse JSON' } });
      expect(await ask(' '.repeat(4096))).toEqual({ error: { desc: 'bad request: too large message' } });
      const wanted = { proto: 'tcp', host_addr: '127.0.0.1', host_port: await unusedPort(), guest_port: 80 };
      const add = JSON.stringify({ execute: 'add_hostfwd', arguments: wanted });
      expect(await ask(add)).toEqual({ return: { id: 1 } });
      expect(await ask(add)).toMatchObject({ error: { desc: expect.stringContaining('EADDRINUSE') as string } });
      expect(await ask('{"execute": "list_hostfwd"}')).toEqual({
        return: { entries: [{ id: 1, guest_addr: '10.0.2.100', ...wanted }] },
      });
      expect(await ask('{"execute": "remove_hostfwd", "arguments": {"id": 1}}')).toEqual({ return: {} });
      expect(await ask('{"execute": "list_hostfwd"}')).toEqual({ return: { entries: [] } });
      expect(inside(pid, 'ip link show dev tap0')).toContain('02:00:00:00:00:77');
      expect(inside(pid, 'busybox udhcpc -i tap0 -n -q -t 3 -s /bin/true -f 2>&1')).toContain('10.0.2.15');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('slirp keeps the host’s loopback to itself when told to', async () => {
    const server = createServer((socket) => socket.end('secret')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const pid = await namespace();
    await slirp(pid, '--disable-host-loopback', '--cidr', '10.7.0.0/24');
    expect(inside(pid, 'ip route')).toContain('default via 10.7.0.2');
    const { port } = server.address() as AddressInfo;
    expect(inside(pid, `bash -c "echo >/dev/tcp/10.7.0.2/${port}" 2>&1`)).toContain('Network is unreachable');
    server.close();
  });

  it('slirp says in one line what is wrong', () => {
    for (const [args, line] of [
      [['1', 'tap0', '--mtu=7'], '--mtu: 7 is not a number from 576 to 65520'],
      [['4194000', 'tap0'], 'There is no process 4194000'],
      [
        ['1', 'tap0', '--cidr', '10.0.2.7/24'],
        'CIDR needs to be a network address like 10.0.2.0/24, not like 10.0.2.7/24',
      ],
      [['1', 'tap0', '--cidr', '10.0.2.0'], 'invalid CIDR: 10.0.2.0'],
      [['1', 'tap0', '--cidr', '10.0.2.0/26'], 'prefix length needs to be 1-25, not 26'],
      [['1', 'tap0', '--enable-sandbox'], "Unknown option '--enable-sandbox'"],
    ] as const) {
      const { status, stderr } = spawnSync(
        process.execPath,
        ['--conditions=source', join(EXAMPLES, 'slirp', 'slirp.ts'), ...args],
        {
          encoding: 'utf8',
        },
      );
      expect([status, stderr]).toEqual([1, `slirp: ${line}\n`]);
    }
  });
});
