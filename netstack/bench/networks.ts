/**
 * The networks under test, each in namespaces of its own: netstack with its TAP in the container's namespace or behind a bridge,
 * slirp4netns, pasta, rootlesskit's builtin port driver, and a plain veth pair, which shows what the kernel does without a proxy.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSync } from 'esbuild';

export const PORT = {
  iperfHost: 15201,
  echoHost: 15210,
  iperfInside: 5201,
  echoInside: 5210,
  iperfPublished: 16201,
  echoPublished: 16210,
};
const GATEWAY = '10.0.2.2';
const ADDRESS = '10.0.2.100';
const NEIGHBOUR = '10.0.2.101';

/** A network under test, up and running. */
export interface Network {
  /** A process in the container's namespace. */
  readonly pid: number;
  /** Where the host's loopback is seen from inside. Undefined: there is no way out under test. */
  readonly gateway: string | undefined;
  /** The process that carries the traffic, for its CPU time and memory; undefined: the kernel alone does. */
  readonly carrier: number | undefined;
  /** A process in the namespace that plays the host; undefined: the host does. */
  readonly host?: number;
  /** Where the container's ports are reached from the host. */
  readonly published: { readonly address: string; readonly iperf: number; readonly echo: number };
  /** Another container of the network. */
  readonly neighbour?: { readonly pid: number; readonly address: string };
  close(): void;
}

export const networks: Record<string, () => Promise<Network>> = {
  netstack: () => netstack(65_520),
  'netstack-1500': () => netstack(1500),
  'netstack-bridge': () => netstackBridge(65_520),
  'netstack-bridge-1500': () => netstackBridge(1500),
  slirp4netns: () => slirp4netns(65_520),
  'slirp4netns-1500': () => slirp4netns(1500),
  pasta,
  rootlesskit,
  veth: () => veth(65_520),
  'veth-1500': () => veth(1500),
};

/** A program in the namespaces of a process; undefined: here. */
export function enter(
  pid: number | undefined,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  return pid === undefined ? command : ['nsenter', '-t', String(pid), '-U', '-n', '--preserve-credentials', ...command];
}

function inside(pid: number, script: string): string {
  const [program, ...args] = enter(pid, ['sh', '-c', script]);
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script}: ${stderr}${stdout}`);
  return stdout;
}

/** Without this, TIME-WAIT exhausts the ports within seconds of the connection loads. */
const FEW_TIME_WAIT = 'echo 64 >/proc/sys/net/ipv4/tcp_max_tw_buckets; ip link set lo up';
const PUBLISHED = { address: '127.0.0.1', iperf: PORT.iperfPublished, echo: PORT.echoPublished };

/** A process in user and network namespaces of its own, with /dev/net/tun open on descriptor 3. */
async function holder(): Promise<ChildProcess> {
  const child = spawn('unshare', ['-Urn', 'sh', '-c', 'exec 3<>/dev/net/tun; echo ready; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  inside(child.pid!, FEW_TIME_WAIT);
  return child;
}

/** A process in a network namespace of its own, in the user namespace of the holder. */
async function container(of: ChildProcess): Promise<ChildProcess> {
  const [program, ...args] = enter(of.pid, ['unshare', '-n', 'sh', '-c', 'echo ready; exec sleep infinity']);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  inside(child.pid!, FEW_TIME_WAIT);
  return child;
}

function network(
  child: ChildProcess,
  gateway: string | undefined,
  carrier: ChildProcess | undefined,
  more: Partial<Network> & { others?: readonly ChildProcess[] } = {},
): Network {
  const { others = [], ...rest } = more;
  return {
    pid: child.pid!,
    gateway,
    carrier: carrier?.pid,
    published: PUBLISHED,
    ...rest,
    close: () => {
      for (const process of [carrier, child, ...others]) process?.kill('SIGKILL');
      rest.close?.();
    },
  };
}

async function netstack(mtu: number): Promise<Network> {
  const child = await holder();
  const gateway = await startGateway(child, mtu);
  inside(
    child.pid!,
    `ip link set tap0 mtu ${mtu} txqueuelen 20000 up; ip addr add ${ADDRESS}/24 dev tap0; ip route add default via ${GATEWAY}`,
  );
  return network(child, GATEWAY, gateway);
}

/** The TAP as a port of a bridge in a namespace of its own, and a veth pair to each of two containers. */
async function netstackBridge(mtu: number): Promise<Network> {
  const hub = await holder();
  const gateway = await startGateway(hub, mtu);
  const one = await container(hub);
  const other = await container(hub);
  // veth hands packets to one backlog for each CPU; without the mask they are all handled on the sender's.
  const mask = 'echo f >/proc/sys/net/core/rps_default_mask 2>/dev/null || true';
  inside(
    hub.pid!,
    `${mask}; ip link add br0 mtu ${mtu} type bridge; ip link set tap0 mtu ${mtu} txqueuelen 20000 master br0 up; ip link set br0 up`,
  );
  for (const [name, child, address] of [
    ['veth0', one, ADDRESS],
    ['veth1', other, NEIGHBOUR],
  ] as const) {
    inside(
      hub.pid!,
      `ip link add ${name} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${child.pid!}; ip link set ${name} master br0 up`,
    );
    inside(child.pid!, `ip link set eth0 up; ip addr add ${address}/24 dev eth0; ip route add default via ${GATEWAY}`);
  }
  const neighbour = { pid: other.pid!, address: NEIGHBOUR };
  return network(one, GATEWAY, gateway, { others: [hub, other], neighbour });
}

/** Two namespaces, one of which plays the host. */
async function veth(mtu: number): Promise<Network> {
  const host = await holder();
  const child = await container(host);
  inside(
    host.pid!,
    `ip link add veth0 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${child.pid!}; ip link set veth0 up; ip addr add ${GATEWAY}/24 dev veth0`,
  );
  inside(child.pid!, `ip link set eth0 up; ip addr add ${ADDRESS}/24 dev eth0`);
  return network(child, GATEWAY, undefined, {
    host: host.pid!,
    others: [host],
    published: { address: ADDRESS, iperf: PORT.iperfInside, echo: PORT.echoInside },
    neighbour: { pid: host.pid!, address: GATEWAY },
  });
}

/** Bundled as trun's own network process is, and with its flags: from sources, Node would keep its TypeScript reader in memory. */
const gatewayBundle = join(mkdtempSync(join(tmpdir(), 'bench-net-')), 'gateway.cjs');
buildSync({
  entryPoints: [join(import.meta.dirname, '..', 'test', 'gateway-process.ts')],
  outfile: gatewayBundle,
  bundle: true,
  minifyWhitespace: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  conditions: ['source'],
  external: ['koffi', '@koromix/*'],
  define: { 'import.meta.filename': '__filename' },
});
process.on('exit', () => rmSync(dirname(gatewayBundle), { recursive: true }));

async function startGateway(child: ChildProcess, mtu: number): Promise<ChildProcess> {
  const flags = ['--v8-pool-size=0', '--max-semi-space-size=2'];
  const gateway = spawn(process.execPath, [...flags, gatewayBundle, String(child.pid), '3', JSON.stringify({ mtu })], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_PATH: join(import.meta.dirname, '../../node_modules') },
  });
  await once(gateway.stdout, 'data');
  for (const [hostPort, containerPort] of publications()) {
    const publish = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, containerAddress: ADDRESS, containerPort };
    gateway.stdin.write(`${JSON.stringify({ publish })}\n`);
    await once(gateway.stdout, 'data');
  }
  return gateway;
}

async function slirp4netns(mtu: number): Promise<Network> {
  const child = await holder();
  const folder = mkdtempSync(join(tmpdir(), 'bench-net-'));
  const socket = join(folder, 'api');
  const slirp = spawn(
    'slirp4netns',
    ['--configure', `--mtu=${mtu}`, '--api-socket', socket, '-r', '3', String(child.pid), 'tap0'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  );
  await once(slirp.stdio[3]!, 'data');
  for (const [host_port, guest_port] of publications()) {
    const api = connect(socket);
    api.end(
      JSON.stringify({
        execute: 'add_hostfwd',
        arguments: { proto: 'tcp', host_addr: '127.0.0.1', host_port, guest_addr: ADDRESS, guest_port },
      }),
    );
    api.resume();
    await once(api, 'close');
  }
  return network(child, GATEWAY, slirp, { close: () => rmSync(folder, { recursive: true }) });
}

async function pasta(): Promise<Network> {
  const child = await holder();
  const ports = publications().flatMap(([host, container]) => ['-t', `127.0.0.1/${host}:${container}`]);
  const quiet = ['-u', 'none', '-T', 'none', '-U', 'none'];
  const carrier = spawn('pasta', ['--config-net', '--foreground', '--quiet', ...ports, ...quiet, String(child.pid)], {
    stdio: 'ignore',
  });
  for (let attempt = 0; attempt < 50; attempt++) {
    await sleep(100);
    const via = /default via (\S+)/.exec(inside(child.pid!, 'ip route'))?.[1];
    if (via !== undefined) return network(child, via, carrier);
  }
  child.kill('SIGKILL');
  throw new Error('pasta did not come up (does the host have a default route?)');
}

/** Its port driver alone: the way out of this one is slirp4netns'. */
async function rootlesskit(): Promise<Network> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-net-'));
  const ports = publications().flatMap(([host, container]) => ['-p', `127.0.0.1:${host}:${container}/tcp`]);
  const carrier = spawn(
    'rootlesskit',
    ['--state-dir', folder, '--net=slirp4netns', '--port-driver=builtin', ...ports, 'sleep', 'infinity'],
    { stdio: 'ignore' },
  );
  for (let attempt = 0; attempt < 50; attempt++) {
    await sleep(100);
    let pid: number;
    try {
      pid = Number(readFileSync(join(folder, 'child_pid'), 'utf8'));
    } catch {
      continue;
    }
    await sleep(500); // the ports are bound a moment later
    inside(pid, FEW_TIME_WAIT);
    const child = spawn('nsenter', ['-t', String(pid), '-U', '-n', '--preserve-credentials', 'sleep', 'infinity']);
    await sleep(100);
    return network(child, undefined, carrier, {
      pid,
      close: () => {
        // Its child ends with it.
        spawnSync('kill', ['-9', String(pid)]);
        rmSync(folder, { recursive: true, force: true });
      },
    });
  }
  carrier.kill('SIGKILL');
  throw new Error('rootlesskit did not come up');
}

function publications(): [number, number][] {
  return [
    [PORT.iperfPublished, PORT.iperfInside],
    [PORT.echoPublished, PORT.echoInside],
  ];
}
