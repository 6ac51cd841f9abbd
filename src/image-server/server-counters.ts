/** What an image server has done since its start, and how long requests took. */
import type { Counters, RequestStatistics } from 'fuse-overlay';

export interface ServerCounters {
  /** By opcode, over all mounts that are served now; times in microseconds, buckets as fuse-overlay's `Counters` has them. */
  readonly requests: Readonly<Record<string, RequestStatistics>>;
  /** Requests of each mount, by the key of its record. */
  readonly mounts: Readonly<Record<string, number>>;
  /** Messages that were no requests. */
  readonly malformed: number;
  /** Requests at which the server failed unexpectedly: each has a line in its log. */
  readonly crashes: number;
}

export function sumCounters(counters: readonly (readonly [key: string, counters: Counters])[]): ServerCounters {
  const requests: Record<string, RequestStatistics> = {};
  let malformed = 0;
  let crashes = 0;
  for (const [, each] of counters) {
    malformed += each.malformed;
    crashes += each.crashes;
    for (const [opcode, more] of Object.entries(each.snapshot()))
      requests[opcode] = addStatistics(requests[opcode], more);
  }
  return { requests, mounts: Object.fromEntries(counters.map(([key, { total }]) => [key, total])), malformed, crashes };
}

export function addStatistics(known: RequestStatistics | undefined, more: RequestStatistics): RequestStatistics {
  if (known === undefined) return more;
  return {
    requests: known.requests + more.requests,
    errors: known.errors + more.errors,
    microseconds: known.microseconds + more.microseconds,
    histogram: known.histogram.map((count, bucket) => count + more.histogram[bucket]!),
  };
}
