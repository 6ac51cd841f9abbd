/**
 * netstack against slirp4netns, pasta and rootlesskit's builtin port driver, with a veth pair as the limit, as an ordinary user in
 * namespaces of one machine: throughput by iperf3 out of the container, back into it on its own connection, in through a published
 * port, and between two containers; UDP at 500 Mb/s; connection rates and round trips; memory.
 *
 * Beside each result: Gb per CPU second of the process that carries the traffic, or its CPU time for one operation.
 * Rounds are interleaved, since the machine's speed drifts; medians are printed with their ratios to slirp4netns at MTU 65520.
 * Nothing here passes or fails.
 *
 *     node --conditions=source bench/net.ts [--rounds 5] [--seconds 2] [--only out,echo] [--peers netstack,slirp4netns] [--markdown]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PORT, enter, networks } from './networks.ts';
import type { Network } from './networks.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: {
      type: 'string',
      default:
        'idle,out,out4,reverse,reverse4,inbound,inbound4,between,udp,connect,echo,ping-pong,echo-in,ping-pong-in,used',
    },
    peers: {
      type: 'string',
      default:
        'netstack,netstack-1500,netstack-bridge,netstack-bridge-1500,slirp4netns,slirp4netns-1500,pasta,rootlesskit,veth,veth-1500',
    },
    markdown: { type: 'boolean', default: false },
  },
});

type Program = readonly [string, ...string[]];

interface Load {
  readonly unit: 'Gb/s' | 'Mb/s' | '1/s' | 'MB';
  /** Undefined: not on this network. */
  readonly server: (network: Network) => Program | undefined;
  readonly client: (network: Network) => Program;
  readonly read: (output: string) => number;
}

const { seconds } = flags;

function node(...args: string[]): Program {
  return [process.execPath, join(import.meta.dirname, 'tcp-load.ts'), ...args];
}

function iperf(...args: string[]): Program {
  return ['iperf3', '-t', seconds, '-J', ...args];
}

interface Received {
  readonly bits_per_second: number;
  readonly lost_percent?: number;
}

function received(output: string): Received {
  const { end } = JSON.parse(output) as { end: { sum_received?: Received; sum: Received } };
  return end.sum_received ?? end.sum;
}

function gigabits(output: string): number {
  return received(output).bits_per_second / 1e9;
}

/** Where a server on the host listens, as seen by itself. */
function hostAddress({ host, gateway }: Network): string {
  return host === undefined ? '127.0.0.1' : gateway!;
}

function outward(read: (output: string) => number, unit: Load['unit'], ...extra: string[]): Load {
  return {
    unit,
    server: (over) =>
      over.gateway === undefined
        ? undefined
        : enter(over.host, ['iperf3', '-s', '-B', hostAddress(over), '-p', String(PORT.iperfHost)]),
    client: ({ pid, gateway }) => enter(pid, iperf('-c', gateway!, '-p', String(PORT.iperfHost), ...extra)),
    read,
  };
}

function inward(...extra: string[]): Load {
  return {
    unit: 'Gb/s',
    server: ({ pid }) => enter(pid, ['iperf3', '-s', '-p', String(PORT.iperfInside)]),
    client: ({ host, published: { address, iperf: port } }) =>
      enter(host, iperf('-c', address, '-p', String(port), ...extra)),
    read: gigabits,
  };
}

const between: Load = {
  unit: 'Gb/s',
  server: ({ neighbour }) => neighbour && enter(neighbour.pid, ['iperf3', '-s', '-p', String(PORT.iperfInside)]),
  client: ({ pid, neighbour }) => enter(pid, iperf('-c', neighbour!.address, '-p', String(PORT.iperfInside))),
  read: gigabits,
};

function operations(mode: string, inbound: boolean): Load {
  return {
    unit: '1/s',
    server: (over) => {
      if (inbound) return enter(over.pid, node('serve', '0.0.0.0', String(PORT.echoInside)));
      return over.gateway === undefined
        ? undefined
        : enter(over.host, node('serve', hostAddress(over), String(PORT.echoHost)));
    },
    client: ({ pid, host, gateway, published: { address, echo } }) =>
      inbound
        ? enter(host, node(mode, address, String(echo), seconds))
        : enter(pid, node(mode, gateway!, String(PORT.echoHost), seconds)),
    read: Number,
  };
}

const loads: Record<string, Load> = {
  out: outward(gigabits, 'Gb/s'),
  out4: outward(gigabits, 'Gb/s', '-P', '4'),
  reverse: outward(gigabits, 'Gb/s', '-R'),
  reverse4: outward(gigabits, 'Gb/s', '-R', '-P', '4'),
  inbound: inward(),
  inbound4: inward('-P', '4'),
  between,
  // What arrives of 500 Mb/s.
  udp: outward(
    (output) => (received(output).bits_per_second * (1 - (received(output).lost_percent ?? 0) / 100)) / 1e6,
    'Mb/s',
    '-u',
    '-b',
    '500M',
    '-l',
    '1400',
  ),
  connect: operations('connect', false),
  echo: operations('echo', false),
  'ping-pong': operations('ping-pong', false),
  'echo-in': operations('echo', true),
  'ping-pong-in': operations('ping-pong', true),
};

interface Result {
  readonly result: number;
  /** CPU seconds of the carrier. */
  readonly cpu: number;
}

function cpuSeconds(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

/** Private memory of the carrier in MB. */
function memory({ carrier }: Network): Result {
  try {
    const text = readFileSync(`/proc/${carrier}/smaps_rollup`, 'utf8');
    const sizes = [...text.matchAll(/^Private_(?:Clean|Dirty): *(\d+)/gm)].map(([, size]) => Number(size));
    return { result: sizes.reduce((sum, size) => sum + size, 0) / 1024, cpu: NaN };
  } catch {
    return { result: NaN, cpu: NaN };
  }
}

/** One load over one network. */
async function measure(load: Load, over: Network): Promise<Result> {
  const serverCommand = load.server(over);
  if (serverCommand === undefined) return { result: NaN, cpu: NaN };
  const [serverProgram, ...serverArgs] = serverCommand;
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
const results = new Map<string, Result[]>();
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const name of names) {
    const over = await networks[name]!();
    try {
      for (const load of chosen) {
        const key = `${load}/${name}`;
        const result = loads[load] === undefined ? memory(over) : await measure(loads[load], over);
        results.set(key, [...(results.get(key) ?? []), result]);
      }
    } finally {
      over.close();
      await sleep(500); // the ports are free again once the processes are gone
    }
  }
}

function cell(load: string, name: string): string {
  const unit = loads[load]?.unit ?? 'MB';
  const runs = results.get(`${load}/${name}`)!;
  const middle = median(runs.map(({ result }) => result));
  if (Number.isNaN(middle)) return '-';
  const bits = unit === 'Gb/s' || unit === 'Mb/s';
  const costs = runs.map(({ result, cpu }) =>
    bits ? (result * Number(seconds)) / cpu / (unit === 'Mb/s' ? 1000 : 1) : (cpu / result / Number(seconds)) * 1e6,
  );
  const cost = median(costs);
  const shownCost = Number.isFinite(cost) ? (bits ? ` /cpu ${cost.toFixed(1)}` : ` ${cost.toFixed(0)}us`) : '';
  const ratio = middle / median((results.get(`${load}/slirp4netns`) ?? []).map(({ result }) => result));
  const shownRatio = Number.isFinite(ratio) ? ` x${ratio.toFixed(2)}` : '';
  return `${middle.toFixed(unit === 'Gb/s' ? 2 : unit === 'MB' ? 1 : 0)}${shownCost}${shownRatio}`;
}

const rows = [
  ['', ...names],
  ...chosen.map((load) => [
    `${loads[load] === undefined ? `memory, ${load}` : load}, ${loads[load]?.unit ?? 'MB'}`,
    ...names.map((name) => cell(load, name)),
  ]),
];
if (flags.markdown)
  rows.splice(
    1,
    0,
    rows[0]!.map(() => '---'),
  );
const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
for (const row of rows) {
  const cells = row.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)));
  process.stdout.write(flags.markdown ? `| ${row.join(' | ')} |\n` : `${cells.join('  ')}\n`);
}
process.exit(0);
