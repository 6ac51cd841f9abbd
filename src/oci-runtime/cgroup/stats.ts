/** What a container uses, in the form of runc's `events`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerCgroups } from './container-cgroups.ts';

interface Usage {
  readonly usage: number;
  readonly max: number;
  readonly failcnt: number;
  readonly limit: number;
}

/** Go's unlimited: the engines that read this know no other. */
const UNLIMITED = 2 ** 64;

export function cgroupStats({ record }: ContainerCgroups): object {
  return record.version === 2 ? statsOfV2(record.folders['']!) : statsOfV1(record.folders);
}

/** How many processes the kernel has killed for want of memory. */
export function oomKills({ record }: ContainerCgroups): number {
  const file = record.version === 2 ? 'memory.events' : 'memory.oom_control';
  const folder = record.version === 2 ? record.folders[''] : record.folders['memory'];
  return folder === undefined ? 0 : (keyed(folder, file)['oom_kill'] ?? 0);
}

function statsOfV2(folder: string): object {
  const cpu = keyed(folder, 'cpu.stat');
  const memory = keyed(folder, 'memory.stat');
  return {
    cpu: {
      usage: {
        total: (cpu['usage_usec'] ?? 0) * 1000,
        kernel: (cpu['system_usec'] ?? 0) * 1000,
        user: (cpu['user_usec'] ?? 0) * 1000,
      },
      throttling: {
        periods: cpu['nr_periods'] ?? 0,
        throttledPeriods: cpu['nr_throttled'] ?? 0,
        throttledTime: (cpu['throttled_usec'] ?? 0) * 1000,
      },
    },
    memory: {
      cache: memory['file'] ?? 0,
      usage: usage(folder, 'memory.current', 'memory.peak', 'memory.max'),
      swap: usage(folder, 'memory.swap.current', undefined, 'memory.swap.max'),
      kernel: { usage: memory['kernel'] ?? 0, failcnt: 0, limit: 0 },
      kernelTCP: { usage: memory['sock'] ?? 0, failcnt: 0, limit: 0 },
      raw: memory,
    },
    pids: { current: number(folder, 'pids.current') ?? 0, limit: number(folder, 'pids.max') ?? 0 },
    blkio: { ioServiceBytesRecursive: ioBytes(folder) },
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  };
}

function statsOfV1(folders: Readonly<Record<string, string>>): object {
  const memory = folders['memory'] ?? '';
  const cpu = folders['cpuacct'] ?? '';
  const throttled = keyed(folders['cpu'] ?? '', 'cpu.stat');
  const ticks = keyed(cpu, 'cpuacct.stat');
  const raw = keyed(memory, 'memory.stat');
  return {
    cpu: {
      usage: {
        total: number(cpu, 'cpuacct.usage') ?? 0,
        percpu: (read(cpu, 'cpuacct.usage_percpu') ?? '').trim().split(/\s+/).filter(Boolean).map(Number),
        // USER_HZ is 100 on all machines that Node runs on.
        kernel: (ticks['system'] ?? 0) * 10_000_000,
        user: (ticks['user'] ?? 0) * 10_000_000,
      },
      throttling: {
        periods: throttled['nr_periods'] ?? 0,
        throttledPeriods: throttled['nr_throttled'] ?? 0,
        throttledTime: throttled['throttled_time'] ?? 0,
      },
    },
    memory: {
      cache: raw['cache'] ?? 0,
      usage: {
        ...usage(memory, 'memory.usage_in_bytes', 'memory.max_usage_in_bytes', 'memory.limit_in_bytes'),
        failcnt: number(memory, 'memory.failcnt') ?? 0,
      },
      swap: usage(
        memory,
        'memory.memsw.usage_in_bytes',
        'memory.memsw.max_usage_in_bytes',
        'memory.memsw.limit_in_bytes',
      ),
      kernel: usage(
        memory,
        'memory.kmem.usage_in_bytes',
        'memory.kmem.max_usage_in_bytes',
        'memory.kmem.limit_in_bytes',
      ),
      kernelTCP: usage(memory, 'memory.kmem.tcp.usage_in_bytes', undefined, 'memory.kmem.tcp.limit_in_bytes'),
      raw,
    },
    pids: {
      current: number(folders['pids'] ?? '', 'pids.current') ?? 0,
      limit: number(folders['pids'] ?? '', 'pids.max') ?? 0,
    },
    blkio: { ioServiceBytesRecursive: throttleBytes(folders['blkio'] ?? '') },
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  };
}

function usage(folder: string, current: string, peak: string | undefined, limit: string): Usage {
  return {
    usage: number(folder, current) ?? 0,
    max: peak === undefined ? 0 : (number(folder, peak) ?? 0),
    failcnt: 0,
    limit: number(folder, limit) ?? UNLIMITED,
  };
}

/** io.stat of version 2: `major:minor rbytes=… wbytes=… …` a line. */
function ioBytes(folder: string): object[] {
  return (read(folder, 'io.stat') ?? '').split('\n').flatMap((line) => {
    const [, major, minor] = /^(\d+):(\d+) /.exec(line) ?? [];
    if (major === undefined) return [];
    return (['Read', 'Write'] as const).map((op) => ({
      major: Number(major),
      minor: Number(minor),
      op,
      value: Number(new RegExp(`${op === 'Read' ? 'r' : 'w'}bytes=(\\d+)`).exec(line)?.[1] ?? 0),
    }));
  });
}

/** blkio.throttle.io_service_bytes_recursive of version 1: `major:minor Read n` a line. */
function throttleBytes(folder: string): object[] {
  const text = read(folder, 'blkio.throttle.io_service_bytes_recursive') ?? '';
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op, value]) => ({
    major: Number(major),
    minor: Number(minor),
    op,
    value: Number(value),
  }));
}

function keyed(folder: string, name: string): Record<string, number> {
  const lines = (read(folder, name) ?? '').split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => line.split(' ')).map(([key = '', value]) => [key, Number(value)]));
}

/** The number in a file; undefined where there is no file, or `max` in it. */
function number(folder: string, name: string): number | undefined {
  const text = read(folder, name)?.trim();
  return text === undefined || text === 'max' || text === '' ? undefined : Number(text);
}

function read(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch {
    return undefined;
  }
}
