/** What `info` tells of the processes that serve file systems. */
import { readServerCounters } from '../image-server/client.ts';
import type { ServerName } from '../image-server/mount-record.ts';
import { addStatistics, type ServerCounters } from '../image-server/server-counters.ts';
import type { StatePaths } from '../state/paths.ts';

type Statistics = ServerCounters['requests'][string];

/** Of one process, since its start; of the mounts that it serves now. */
export type FileServerInfo = {
  readonly Mounts: number;
  readonly Requests: number;
  /** Answers that were an errno; that of a name that does not exist is one. */
  readonly Errors: number;
  /** Within how many microseconds half and 99 % of the requests were answered: powers of two. */
  readonly MedianMicroseconds: number;
  readonly P99Microseconds: number;
  readonly Malformed: number;
  readonly Crashes: number;
  readonly Opcodes: Readonly<Record<string, OpcodeInfo>>;
};

type OpcodeInfo = {
  readonly Requests: number;
  readonly Errors: number;
  readonly Microseconds: number;
  /** Bucket n: answered in 2^(n-1) to 2^n microseconds. */
  readonly Histogram: readonly number[];
};

/** Of those that run. Starts none. */
export async function fileServers(paths: StatePaths): Promise<Readonly<Record<string, FileServerInfo>>> {
  const names = ['images', 'writable'] as const satisfies ServerName[];
  const counters = await Promise.all(names.map((name) => readServerCounters(paths, name)));
  return Object.fromEntries(
    names.flatMap((name, at) => (counters[at] === undefined ? [] : [[name, describe(counters[at])]])),
  );
}

function describe({ requests, mounts, malformed, crashes }: ServerCounters): FileServerInfo {
  const total = Object.values(requests).reduce<Statistics | undefined>(addStatistics, undefined);
  return {
    Mounts: Object.keys(mounts).length,
    Requests: total?.requests ?? 0,
    Errors: total?.errors ?? 0,
    MedianMicroseconds: total === undefined ? 0 : quantile(total, 0.5),
    P99Microseconds: total === undefined ? 0 : quantile(total, 0.99),
    Malformed: malformed,
    Crashes: crashes,
    Opcodes: Object.fromEntries(Object.entries(requests).map(([name, each]) => [name, describeOpcode(each)])),
  };
}

function describeOpcode({ requests, errors, microseconds, histogram }: Statistics): OpcodeInfo {
  return { Requests: requests, Errors: errors, Microseconds: microseconds, Histogram: histogram };
}

/** Microseconds within which a share (0 to 1) of the requests was answered: the end of a bucket. */
export function quantile({ histogram, requests }: Pick<Statistics, 'histogram' | 'requests'>, share: number): number {
  let seen = 0;
  for (const [bucket, count] of histogram.entries()) {
    seen += count;
    if (seen >= requests * share) return 2 ** bucket;
  }
  return 2 ** (histogram.length - 1);
}
