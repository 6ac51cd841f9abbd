/** The gateway between a real kernel inside a namespace and real sockets outside, as an ordinary user. */
import { createSocket } from 'node:dgram';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayStats } from '../src/index.ts';
import { CONTAINER, CONTAINER6, GATEWAY, Sandbox, sandboxObstacle } from './sandbox.ts';
import { exchange, streamHash } from './stream-peer.ts';

const obstacle = sandboxObstacle();
const cleanups: (() => unknown)[] = [];
/** Bytes of the bulk transfers in each direction: NETSTACK_BULK=1073741824 for the long version. */
const BULK = Number(process.env['NETSTACK_BULK'] ?? 64 << 20);
const STREAM_PEER = join(import.meta.dirname, 'stream-peer.ts');

async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  // Some tests end their connections roughly.
  server.on('connection', (socket: Socket) => socket.on('error', () => undefined));
  server.listen(port, host);
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Runs a program inside without blocking this process, whose servers have to answer it. */
async function inside(sandbox: Sandbox, script: string): Promise<{ code: number | null; output: string }> {
  const child = sandbox.start('sh', '-c', script);
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  child.stderr.on('data', (data) => (output += String(data)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await check()) return;
    await sleep(50);
  }
  throw new Error('it did not come to pass within 5 s');
}

function request(port: number, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.end('hello\n'));
    let text = '';
    socket.setTimeout(5000, () => socket.destroy(new Error('timeout')));
    socket.on('data', (data) => (text += String(data)));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

afterAll(() => cleanups.forEach((cleanup) => cleanup()));

describe.skipIf(obstacle !== undefined)(`gateway ${obstacle ?? ''}`, () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await Sandbox.open({
      ipv6: true,
      names: { 'db/A': ['10.0.2.7'], 'db/AAAA': [], '7.2.0.10.in-addr.arpa/PTR': ['db'] },
    });
  });
  afterAll(() => sandbox.close());

  async function stats(): Promise<GatewayStats> {
    return sandbox.command<GatewayStats>({ stats: true });
  }

  describe('outbound', () => {
    it('TCP: HTTP from a server on the host’s loopback', async () => {
      const port = await listen(createHttpServer((_, response) => response.end('from outside\n')));
      const { output } = await inside(
        sandbox,
        `curl -sS -m 10 http://${GATEWAY}:${port}/ && curl -sS -m 10 http://[fd00::2]:1/ || true`,
      );
      expect(output).toContain('from outside');
    });

    it('TCP over IPv6', async () => {
      const port = await listen(
        createHttpServer((_, response) => response.end('six\n')),
        '::1',
      );
      expect((await inside(sandbox, `curl -sS -m 10 http://[fd00::2]:${port}/`)).output).toBe('six\n');
    });

    it('a refused connection is refused at once', async () => {
      const started = performance.now();
      const { code, output } = await inside(sandbox, `curl -sS -m 10 http://${GATEWAY}:1/`);
      expect([code, output]).toEqual([7, expect.stringMatching(/refused|connect/i)]);
      expect(performance.now() - started).toBeLessThan(3000);
    });

    it('the host’s 127.0.0.0/8 and other containers can’t be reached by name', async () => {
      const port = await listen(createServer((socket) => socket.end('secret')));
      sandbox.run('ip addr add 192.168.77.1/32 dev lo; ip route add 127.0.0.5/32 via 10.0.2.2 2>/dev/null; true');
      const { code } = await inside(sandbox, `busybox nc -w 2 ${CONTAINER.replace('100', '55')} ${port} </dev/null`);
      expect(code).not.toBe(0);
    });

    it('half close: the answer comes after our end of stream', async () => {
      const port = await listen(
        createServer({ allowHalfOpen: true }, (socket) => {
          let text = '';
          socket.on('data', (data) => (text += String(data)));
          socket.on('end', () => setTimeout(() => socket.end(`got ${text.length}`), 200));
        }),
      );
      const script = `node -e "const s=require('net').connect({host:'${GATEWAY}',port:${port},allowHalfOpen:true});s.end('x'.repeat(100000));s.pipe(process.stdout)"`;
      expect((await inside(sandbox, script)).output).toBe('got 100000');
    });

    it('a reset outside is a reset inside', async () => {
      const port = await listen(createServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
      const script = `node -e "require('net').connect(${port},'${GATEWAY}').on('error',e=>console.log(e.code)).write('x')"`;
      expect((await inside(sandbox, script)).output).toBe('ECONNRESET\n');
    });

    for (const [pace, outside, seen] of [
      ['fast', '127.0.0.1', GATEWAY],
      ['slow', '127.0.0.1', GATEWAY],
      ['fast', '::1', 'fd00::2'],
    ] as const) {
      it(`bulk both ways at once with ${outside}, ${pace} readers, byte for byte`, async () => {
        const size = BULK;
        const server = createServer({ allowHalfOpen: true });
        const port = await listen(server, outside);
        const client = inside(sandbox, `${process.execPath} ${STREAM_PEER} ${seen} ${port} ${size} ${pace}`);
        const [socket] = (await once(server, 'connection')) as [Socket];
        expect(await exchange(socket, size, pace === 'slow')).toBe(streamHash(size));
        expect((await client).output).toBe(streamHash(size));
        await until(async () => (await stats()).tcp.flows === 0);
        expect((await stats()).tcp.queuedBytes).toBe(0);
      }, 1_200_000);
    }

    it('UDP: datagrams of all sizes there and back', async () => {
      const echo = createSocket('udp4', (message, { port, address }) => echo.send(message, port, address));
      echo.bind(0, '127.0.0.1');
      await once(echo, 'listening');
      cleanups.push(() => echo.close());
      const script = `
        const s=require('dgram').createSocket('udp4');let n=0;const sizes=[1,100,1472,1473,9000,60000];
        s.on('message',m=>{if(m.length!==sizes[n]||m.some(b=>b!==n+1))process.exit(1);if(++n===sizes.length){console.log('all');process.exit()}next()});
        const next=()=>s.send(Buffer.alloc(sizes[n],n+1),${echo.address().port},'${GATEWAY}');next();setTimeout(()=>{console.log('lost',n);process.exit(2)},5000)`;
      expect((await inside(sandbox, `node -e "${script}"`)).output).toBe('all\n');
    });

    it('UDP: an unreachable port is reported', async () => {
      const script = `const s=require('dgram').createSocket('udp4');s.connect(9,'${GATEWAY}',()=>s.send('x'));s.on('error',e=>{console.log(e.code);process.exit()});setTimeout(()=>process.exit(1),4000)`;
      expect((await inside(sandbox, `node -e "${script}"`)).output).toBe('ECONNREFUSED\n');
    });

    it('ping: the gateway answers', async () => {
      const { output } = await inside(
        sandbox,
        `busybox ping -c 2 -s 4000 -W 2 ${GATEWAY}; busybox ping6 -c 1 -W 2 fd00::2`,
      );
      expect(output).toContain('2 packets received');
      expect(output).toContain('1 packets received');
    });

    it('traceroute sees the gateway', async () => {
      const { output } = await inside(sandbox, 'busybox traceroute -n -m 1 -q 1 -w 2 192.0.2.1');
      expect(output).toMatch(/1 {2}10\.0\.2\.2 /);
    });
  });

  describe('DNS', () => {
    it('answers names of containers and of the host, over UDP and TCP', async () => {
      const lookup = `const d=new (require('dns').promises.Resolver)();d.setServers(['10.0.2.3']);(async()=>{
        console.log(await d.resolve4('db'),await d.resolve4('host.docker.internal'),await d.reverse('10.0.2.7'));
        try{await d.resolve6('db')}catch(e){console.log(e.code)}})()`;
      const { output } = await inside(sandbox, `node -e "${lookup}"`);
      expect(output).toBe(`[ '10.0.2.7' ] [ '${GATEWAY}' ] [ 'db' ]\nENODATA\n`);
    });

    it('asks the host’s resolvers over both transports, and new ones when resolv.conf changes', () => {
      // A resolver needs port 53: the host's side becomes a namespace as well, where we are root.
      const program = join(import.meta.dirname, 'dns-forwarding.ts');
      const script = `ip link set lo up && exec ${process.execPath} ${program}`;
      const { stdout, stderr } = spawnSync('unshare', ['-Urn', 'sh', '-c', script], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toEqual({
        udp: '192.0.2.1',
        tcp: '192.0.2.2',
        second: '192.0.2.1',
        moved: '192.0.2.3',
        silent: 'ESERVFAIL',
      });
    });
  });

  describe('published ports', () => {
    beforeAll(() => {
      const server = `require('net').createServer(s=>{s.write(s.remoteAddress+'\\n');s.pipe(s)}).listen(80,'0.0.0.0',()=>console.log('up'))`;
      return once(sandbox.start('node', '-e', server).stdout, 'data');
    });

    function publish(
      options: Record<string, unknown>,
    ): Promise<{ hostPort: number; error?: { code: string; message: string } }> {
      return sandbox.command({
        publish: {
          protocol: 'tcp',
          hostAddress: '127.0.0.1',
          hostPort: 0,
          containerAddress: CONTAINER,
          containerPort: 80,
          ...options,
        },
      });
    }

    it('TCP: a peer on the loopback appears as the gateway', async () => {
      const { hostPort } = await publish({});
      expect(await request(hostPort)).toBe(`${GATEWAY}\nhello\n`);
      await sandbox.command({ unpublish: hostPort });
      await expect(request(hostPort)).rejects.toThrow('ECONNREFUSED');
    });

    it('TCP: from an IPv6 address of the host', async () => {
      const { hostPort } = await publish({ hostAddress: '::' });
      expect(await request(hostPort, '::1')).toBe(`${GATEWAY}\nhello\n`);
      await expect(request(hostPort)).rejects.toThrow('ECONNREFUSED');
    });

    it('TCP and UDP: to the container’s IPv6 address', async () => {
      const server = `require('net').createServer(s=>s.end(s.remoteAddress)).listen(82,'::');
        const u=require('dgram').createSocket('udp6');u.on('message',(m,r)=>u.send(r.address,r.port,r.address));u.bind(82,'${CONTAINER6}',()=>console.log('up'))`;
      await once(sandbox.start('node', '-e', server).stdout, 'data');
      const target = { hostAddress: '::1', containerAddress: CONTAINER6, containerPort: 82 };
      expect(await request((await publish(target)).hostPort, '::1')).toBe('fd00::2');
      const { hostPort } = await publish({ ...target, protocol: 'udp' });
      const client = createSocket('udp6');
      client.send('x', hostPort, '::1');
      const [message] = (await once(client, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
      expect(String(message)).toBe('fd00::2');
      client.close();
    });

    it('TCP: bulk inbound, byte for byte', async () => {
      const size = 32 << 20;
      const script = `import {createServer} from 'node:net'; import {exchange} from '${STREAM_PEER}';
        createServer({allowHalfOpen:true},async s=>{console.log(await exchange(s,${size},false))}).listen(81,()=>console.log('up'))`;
      const server = sandbox.start(process.execPath, '--input-type=module', '-e', script);
      await once(server.stdout, 'data');
      const { hostPort } = await publish({ containerPort: 81 });
      const socket: Socket = connect({ host: '127.0.0.1', port: hostPort, allowHalfOpen: true });
      const inner = once(server.stdout, 'data');
      expect(await exchange(socket, size, false)).toBe(streamHash(size));
      expect(String((await inner)[0]).trim()).toBe(streamHash(size));
    });

    it('nothing listens inside: the peer is reset', async () => {
      const { hostPort } = await publish({ containerPort: 9999 });
      await expect(request(hostPort)).rejects.toThrow('ECONNRESET');
    });

    it('an occupied port is an error in Node’s shape', async () => {
      const port = await listen(createServer());
      const { error } = await publish({ hostPort: port });
      expect(error).toEqual({ code: 'EADDRINUSE', message: expect.stringContaining(`127.0.0.1:${port}`) as string });
      expect((await publish({ hostAddress: '203.0.113.9' })).error?.code).toBe('EADDRNOTAVAIL');
      expect((await publish({ containerAddress: '192.168.1.1' })).error?.code).toBe('ERR_INVALID_ARG_VALUE');
    });

    it('UDP: there and back, for two peers', async () => {
      const server = `const s=require('dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(r.address+' '+m,r.port,r.address));s.bind(5353,()=>console.log('up'))`;
      await once(sandbox.start('node', '-e', server).stdout, 'data');
      for (const hostAddress of ['127.0.0.1', '0.0.0.0', '::']) {
        const { hostPort } = await publish({ protocol: 'udp', hostAddress, containerPort: 5353 });
        for (const word of ['one', 'two']) {
          const client = createSocket(hostAddress === '::' ? 'udp6' : 'udp4');
          client.send(word, hostPort, hostAddress === '::' ? '::1' : '127.0.0.1');
          const [message, from] = (await once(client, 'message', { signal: AbortSignal.timeout(5000) })) as [
            Buffer,
            { address: string },
          ];
          expect([String(message), from.address]).toEqual([
            `${GATEWAY} ${word}`,
            hostAddress === '::' ? '::1' : '127.0.0.1',
          ]);
          client.close();
        }
      }
    });
  });

  describe('peers with an address of their own', () => {
    it('appear under it, for TCP and UDP; ping goes out where the host permits it and is never forged', () => {
      const program = join(import.meta.dirname, 'real-addresses.ts');
      const script = `ip link set lo up && ip addr add 198.51.100.1/32 dev lo && exec ${process.execPath} ${program}`;
      const { stdout, stderr } = spawnSync('unshare', ['-Urn', 'sh', '-c', script], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(stderr).toContain('ping_group_range');
      const icmp = expect.objectContaining({ replies: 2, unsupported: 1 }) as object;
      expect(JSON.parse(stdout)).toEqual({ tcp: true, udp: true, ping: true, forged: false, icmp });
    });
  });

  describe('guarding the link', () => {
    it('drops frames with somebody else’s address', async () => {
      const before = (await stats()).dropped['spoofedSource'] ?? 0;
      sandbox.run(
        'ip addr add 192.168.50.1/24 dev tap0; busybox ping -c 2 -W 1 -I 192.168.50.1 10.0.2.2; ip addr del 192.168.50.1/24 dev tap0',
      );
      expect((await stats()).dropped['spoofedSource']).toBeGreaterThan(before);
    });

    it('sees IPv6 neighbours by autoconfiguration', async () => {
      sandbox.run('echo 2 >/proc/sys/net/ipv6/conf/tap0/accept_ra');
      await until(async () =>
        (await inside(sandbox, 'ip -6 addr show dev tap0 scope global dynamic')).output.includes('fd00:'),
      );
      expect((await inside(sandbox, 'ip -6 addr show dev tap0')).output).toContain(CONTAINER6);
    });

    it('hands out an address by DHCP', async () => {
      const { output } = await inside(sandbox, 'busybox udhcpc -i tap0 -n -q -t 3 -s /bin/true -f 2>&1');
      expect(output).toMatch(/lease of 10\.0\.2\.\d+ obtained/);
    });

    it('comes back after kill -9, on the same TAP', async () => {
      await sandbox.killGateway();
      await sandbox.startGateway();
      const { output } = await inside(sandbox, `busybox ping -c 1 -W 3 ${GATEWAY}`);
      expect(output).toContain('1 packets received');
    });

    it('serves members alone, once there are any', async () => {
      const link = (await inside(sandbox, 'cat /sys/class/net/tap0/address || ip link show tap0')).output;
      const mac = /link\/ether (\S+)/.exec((await inside(sandbox, 'ip link show tap0')).output)?.[1] ?? link.trim();
      await sandbox.command({ admit: { address: '10.0.2.50', mac: '02:00:00:00:00:99' } });
      expect((await inside(sandbox, `busybox ping -c 1 -W 1 ${GATEWAY}`)).code).not.toBe(0);
      await sandbox.command({ admit: { address: CONTAINER, mac } });
      expect((await inside(sandbox, `busybox ping -c 1 -W 2 ${GATEWAY}`)).code).toBe(0);
    });

    it('ends the connections of a member that is gone, but not of one that is admitted anew', async () => {
      const mac = /link\/ether (\S+)/.exec((await inside(sandbox, 'ip link show tap0')).output)?.[1];
      const member = { address: CONTAINER, mac };
      const ends: Promise<unknown>[] = [];
      const server = createServer((socket) => {
        ends.push(new Promise((resolve) => socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))));
        socket.write('hello');
      });
      const port = await listen(server);
      const clients = [0, 1].map(() => sandbox.start('busybox', 'nc', GATEWAY, String(port)));
      await Promise.all(clients.map((client) => once(client.stdout, 'data')));
      await inside(sandbox, `bash -c "echo x >/dev/udp/${GATEWAY}/9"`);
      const before = await stats();
      expect([before.tcp.flows, before.udp.flows > 0]).toEqual([2, true]);
      await sandbox.command({ dismiss: CONTAINER, admit: member });
      expect((await stats()).tcp.flows).toBe(2);
      await sandbox.command({ dismiss: CONTAINER });
      expect(await Promise.all(ends)).toEqual(['ECONNRESET', 'ECONNRESET']);
      const after = await stats();
      expect([after.tcp.flows, after.udp.flows]).toEqual([0, 0]);
      await sandbox.command({ admit: member });
      // What the container still has of them is answered with a reset, and new connections work.
      clients[0]!.stdin.write('more');
      await once(clients[0]!, 'exit');
      expect((await inside(sandbox, `busybox ping -c 1 -W 2 ${GATEWAY}`)).code).toBe(0);
    });
  });
});
