/**
 * netstack against slirp4netns and pasta, as an ordinary user, in namespaces of one machine: throughput by iperf3 out of the
 * container, back into it on its own connection, and in through a published port; connection rates and round trips.
 *
 * Beside each result: Gb per CPU second of the process that carries the traffic, or its CPU time for one operation.
 * Rounds are interleaved, since the machine's speed drifts; medians are printed with their ratios to slirp4netns. Nothing here
 * passes or fails.
 *
 *     node --conditions=source bench/net.ts [--rounds 3] [--seconds 2] [--only out,echo] [--peers netstack,slirp4netns,pasta]
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: 'out,reverse,inbound,out4,reverse4,connect,echo,ping-pong,echo-in,ping-pong-in' },
    peers: { type: 'string', default: 'netstack,netstack-1500,slirp4netns,slirp4netns-1500,pasta' },
  },
});

const BENCH = import.meta.dirname;
const PORT = {
  iperfHost: 15201,
  echoHost: 15210,
  iperfInside: 5201,
  echoInside: 5210,
  iperfPublished: 16201,
  echoPublished: 16210,
};
const GATEWAY = '10.0.2.2';
const ADDRESS = '10.0.2.100';

/** A network under test, up and running: its namespace, and where the host's loopback is seen from inside. */
interface Network {
  readonly pid: number;
  readonly gateway: string;
  /** The process that carries the traffic, for its CPU time. */
  readonly carrier: number;
  close(): void;
}

type Program = readonly [string, ...string[]];

async function holder(): Promise<ChildProcess> {
  const child = spawn('unshare', ['-Urn', 'sh', '-c', 'exec 3<>/dev/net/tun; echo ready; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  // Without this, TIME-WAIT exhausts the ports within seconds of the connection loads.
  inside(child.pid!, 'sh', '-c', 'echo 64 >/proc/sys/net/ipv4/tcp_max_tw_buckets; ip link set lo up');
  return child;
}

function enter(pid: number, command: readonly string[]): Program {
  return ['nsenter', '-t', String(pid), '-U', '-n', '--preserve-credentials', ...command];
}

function inside(pid: number, ...command: string[]): string {
  const [program, ...rest] = enter(pid, command);
  const { stdout, stderr, status } = spawnSync(program, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

const networks: Record<string, () => Promise<Network>> = {
  netstack: () => netstack(65_520),
  'netstack-1500': () => netstack(1500),
  'netstack-bridge': () => netstackBridge(65_520),
  'netstack-bridge-1500': () => netstackBridge(1500),
  slirp4netns: () => slirp4netns(65_520),
  'slirp4netns-1500': () => slirp4netns(1500),
  pasta,
};

/** The TAP in the container's own namespace. */
async function netstack(mtu: number): Promise<Network> {
  const child = await holder();
  const gateway = await startGateway(child, mtu);
  const script = `ip link set tap0 mtu ${mtu} txqueuelen 20000 up; ip addr add ${ADDRESS}/24 dev tap0; ip route add default via ${GATEWAY}`;
  inside(child.pid!, 'sh', '-c', script);
  return network(child, GATEWAY, gateway);
}

/** The TAP as a port of a bridge in a namespace of its own, and a veth pair to the container's. */
async function netstackBridge(mtu: number): Promise<Network> {
  const hub = await holder();
  const gateway = await startGateway(hub, mtu);
  const [program, ...args] = enter(hub.pid!, ['unshare', '-n', 'sh', '-c', 'echo ready; exec sleep infinity']);
  const container = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(container.stdout, 'data');
  // veth hands packets to one backlog for each CPU; without the mask they are all handled on the sender's.
  const hubScript = `echo f >/proc/sys/net/core/rps_default_mask 2>/dev/null; ip link add br0 mtu ${mtu} type bridge;
    ip link set tap0 mtu ${mtu} txqueuelen 20000 master br0 up;
    ip link add veth0 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${container.pid!};
    ip link set veth0 master br0 up; ip link set br0 up`;
  inside(hub.pid!, 'sh', '-c', hubScript);
  const script = `echo 64 >/proc/sys/net/ipv4/tcp_max_tw_buckets; ip link set lo up; ip link set eth0 up;
    ip addr add ${ADDRESS}/24 dev eth0; ip route add default via ${GATEWAY}`;
  inside(container.pid!, 'sh', '-c', script);
  const running = network(container, GATEWAY, gateway);
  return {
    ...running,
    close: () => {
      running.close();
      hub.kill('SIGKILL');
    },
  };
}

async function startGateway(child: ChildProcess, mtu: number): Promise<ChildProcess> {
  const program = join(BENCH, '..', 'test', 'gateway-process.ts');
  const gateway = spawn(process.execPath, [program, String(child.pid), '3', JSON.stringify({ mtu })], {
    stdio: ['pipe', 'pipe', 'inherit'],
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
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
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
  const running = network(child, GATEWAY, slirp);
  return {
    ...running,
    close: () => {
      running.close();
      rmSync(folder, { recursive: true });
    },
  };
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
    const via = /default via (\S+)/.exec(inside(child.pid!, 'ip', 'route'))?.[1];
    if (via !== undefined) return network(child, via, carrier);
  }
  child.kill('SIGKILL');
  throw new Error('pasta did not come up (does the host have a default route?)');
}

function publications(): [number, number][] {
  return [
    [PORT.iperfPublished, PORT.iperfInside],
    [PORT.echoPublished, PORT.echoInside],
  ];
}

function network(child: ChildProcess, gateway: string, carrier: ChildProcess): Network {
  return {
    pid: child.pid!,
    gateway,
    carrier: carrier.pid!,
    close: () => {
      carrier.kill('SIGKILL');
      child.kill('SIGKILL');
    },
  };
}

interface Load {
  readonly unit: string;
  readonly server: (pid: number) => Program;
  readonly client: (network: Network) => Program;
  readonly read: (output: string) => number;
}

const seconds = flags.seconds;

function node(...args: string[]): Program {
  return [process.execPath, join(BENCH, 'tcp-load.ts'), ...args];
}

function iperf(...args: string[]): Program {
  return ['iperf3', '-t', seconds, '-J', ...args];
}

function gigabits(output: string): number {
  const { end } = JSON.parse(output) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

function throughput(...extra: string[]): Load {
  return {
    unit: 'Gb/s',
    server: () => ['iperf3', '-s', '-B', '127.0.0.1', '-p', String(PORT.iperfHost)],
    client: ({ pid, gateway }) => enter(pid, iperf('-c', gateway, '-p', String(PORT.iperfHost), ...extra)),
    read: gigabits,
  };
}

function operations(mode: string, inbound: boolean): Load {
  return {
    unit: '1/s',
    server: (pid) =>
      inbound
        ? enter(pid, node('serve', '0.0.0.0', String(PORT.echoInside)))
        : node('serve', '127.0.0.1', String(PORT.echoHost)),
    client: ({ pid, gateway }) =>
      inbound
        ? node(mode, '127.0.0.1', String(PORT.echoPublished), seconds)
        : enter(pid, node(mode, gateway, String(PORT.echoHost), seconds)),
    read: Number,
  };
}

const loads: Record<string, Load> = {
  out: throughput(),
  reverse: throughput('-R'),
  inbound: {
    unit: 'Gb/s',
    server: (pid) => enter(pid, ['iperf3', '-s', '-p', String(PORT.iperfInside)]),
    client: () => iperf('-c', '127.0.0.1', '-p', String(PORT.iperfPublished)),
    read: gigabits,
  },
  out4: throughput('-P', '4'),
  reverse4: throughput('-R', '-P', '4'),
  connect: operations('connect', false),
  echo: operations('echo', false),
  'ping-pong': operations('ping-pong', false),
  'echo-in': operations('echo', true),
  'ping-pong-in': operations('ping-pong', true),
};

function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

/** One load over one network: the result, and the carrier's CPU seconds. */
async function measure(load: Load, over: Network): Promise<{ result: number; cpu: number }> {
  const [serverProgram, ...serverArgs] = load.server(over.pid);
  const server = spawn(serverProgram, serverArgs, { stdio: 'ignore' });
  try {
    await sleep(700);
    const before = cpuSeconds(over.carrier);
    const [program, ...args] = load.client(over);
    const client = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const timer = setTimeout(() => client.kill('SIGKILL'), Number(seconds) * 1000 + 8000);
    let output = '';
    client.stdout.on('data', (data) => (output += String(data)));
    await once(client, 'close');
    clearTimeout(timer);
    let result = NaN;
    try {
      result = load.read(output);
    } catch {
      // The load failed: shown as such.
    }
    return { result, cpu: cpuSeconds(over.carrier) - before };
  } finally {
    // nsenter executes the program in its place, so the child is the server itself.
    server.kill('SIGKILL');
    await sleep(100);
  }
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  return sorted.length === 0 ? NaN : sorted[sorted.length >> 1]!;
}

const names = flags.peers.split(',');
const chosen = flags.only.split(',');
const results = new Map<string, { result: number; cpu: number }[]>();
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const name of names) {
    const over = await networks[name]!();
    try {
      for (const load of chosen) {
        const key = `${load}/${name}`;
        results.set(key, [...(results.get(key) ?? []), await measure(loads[load]!, over)]);
      }
    } finally {
      over.close();
      await sleep(500); // the ports are free again once the processes are gone
    }
  }
}

const width = 24;
process.stdout.write(`${''.padEnd(14)}${names.map((name) => name.padStart(width)).join('')}\n`);
for (const load of chosen) {
  const reference = median((results.get(`${load}/slirp4netns`) ?? []).map(({ result }) => result));
  const cells = names.map((name) => {
    const runs = results.get(`${load}/${name}`)!;
    const middle = median(runs.map(({ result }) => result));
    const { unit } = loads[load]!;
    const costs = runs.map(({ result, cpu }) =>
      unit === 'Gb/s' ? (result * Number(seconds)) / cpu : (cpu / result / Number(seconds)) * 1e6,
    );
    const cost = unit === 'Gb/s' ? ` /cpu ${median(costs).toFixed(1)}` : ` ${median(costs).toFixed(0)}us`;
    const ratio = Number.isNaN(reference) ? '' : ` x${(middle / reference).toFixed(2)}`;
    return `${unit === 'Gb/s' ? middle.toFixed(2) : middle.toFixed(0)}${cost}${ratio}`.padStart(width);
  });
  process.stdout.write(`${`${load} ${loads[load]!.unit}`.padEnd(14)}${cells.join('')}\n`);
}
process.exit(0);
