/**
 * What a running container uses. Where it has a cgroup, the kernel has counted; else the processes of its pid namespace are
 * added up, which tells nothing of those that have ended: rates are then those of the processes that live.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import type { Container } from './container.ts';
import { containerProcesses } from './processes.ts';

export interface ContainerStats {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Seconds of processor time. */
  readonly cpu: number;
  /** Bytes; the limit is the machine's memory where it has none. */
  readonly memory: number;
  readonly memoryLimit: number;
  /** Bytes since its start. */
  readonly network: { readonly received: number; readonly sent: number };
  readonly block: { readonly read: number; readonly written: number };
  readonly pids: number;
}

/** Reads it now; undefined where it does not run any more. */
export function readContainerStats({ state, config }: Container): ContainerStats | undefined {
  const { process: first, cgroup } = state;
  if (state.status !== 'running' || first === undefined) return undefined;
  const network = config.request.network === 'host' ? { received: 0, sent: 0 } : readNetwork(first.pid);
  const used = (cgroup === undefined ? undefined : cgroupUse(cgroup)) ?? processUse(first.pid);
  return used === undefined ? undefined : { time: Date.now(), network, ...used };
}

type Use = Omit<ContainerStats, 'time' | 'network'>;

/** Undefined where the cgroup tells nothing of memory or processes: it has other controllers. */
function cgroupUse(path: string): Use | undefined {
  const { cpu, memory, pids, io } = new ContainerCgroup(path).stats();
  if (memory === undefined || pids === undefined) return undefined;
  return {
    cpu: cpu.usage / 1e6,
    // Docker's figure: page cache that can be dropped at once is nobody's.
    memory: Math.max(memory.current - memory.inactiveFile, 0),
    memoryLimit: Math.min(memory.limit ?? Infinity, totalmem()),
    block: { read: io?.read ?? 0, written: io?.written ?? 0 },
    pids: pids.current,
  };
}

function processUse(first: number): Use | undefined {
  const processes = containerProcesses(first).filter(({ state }) => !'ZX'.includes(state));
  if (processes.length === 0) return undefined;
  const blocks = processes.map(({ pid }) => readIo(pid));
  return {
    cpu: sum(processes.map(({ used }) => used)),
    memory: sum(processes.map(({ pid, resident }) => readPss(pid) ?? resident)),
    memoryLimit: totalmem(),
    block: { read: sum(blocks.map(({ read }) => read)), written: sum(blocks.map(({ written }) => written)) },
    pids: sum(processes.map(({ threads }) => threads)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Each process's share of what it has in common with others, so that their sum is what they use. Bytes. */
function readPss(pid: number): number | undefined {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readOptional(`/proc/${pid}/smaps_rollup`))?.[1];
  return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
}

/** proc(5): what went to and came from block devices. */
function readIo(pid: number): { read: number; written: number } {
  const text = readOptional(`/proc/${pid}/io`);
  return {
    read: Number(/^read_bytes: (\d+)/m.exec(text)?.[1] ?? 0),
    written: Number(/^write_bytes: (\d+)/m.exec(text)?.[1] ?? 0),
  };
}

/** proc(5), /proc/net/dev: bytes are the first field received and the ninth. */
function readNetwork(pid: number): ContainerStats['network'] {
  let [received, sent] = [0, 0];
  for (const line of readOptional(`/proc/${pid}/net/dev`).split('\n')) {
    const [, name, counters] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo') continue;
    const fields = counters!.split(/\s+/).map(Number);
    received += fields[0]!;
    sent += fields[8]!;
  }
  return { received, sent };
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
