/** When a container that has ended is started again, and after how long: Docker's rules, without clock or effect. */
import type { RestartPolicy } from '../oci/options/restart.ts';

/** How a container ended. */
export interface Outcome {
  readonly exitCode: number;
  /** By `stop` or `kill`. */
  readonly isStopped: boolean;
  /** Automatic restarts since somebody started it. */
  readonly restarts: number;
}

/** Milliseconds: the first wait, the longest, and how long a run has to last to make the next wait a first one. */
const FIRST = 100;
const LONGEST = 60_000;
const SETTLED = 10_000;

/** Whether it is to be started again now. */
export function restartsAfter(policy: RestartPolicy | undefined, { exitCode, isStopped, restarts }: Outcome): boolean {
  if (policy === undefined || isStopped) return false;
  switch (policy.name) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (policy.maximumRetryCount === 0 || restarts < policy.maximumRetryCount);
  }
}

/** Whether it comes back with the machine: `always` even where it was stopped before. */
export function restartsAtBoot(policy: RestartPolicy | undefined, outcome: Outcome): boolean {
  return policy?.name === 'always' || restartsAfter(policy, outcome);
}

/**
 * Milliseconds to wait before a restart.
 * @param before what was waited the last time; undefined: this is the first
 * @param lasted milliseconds that the container has run
 */
export function restartDelay(before: number | undefined, lasted: number): number {
  if (before === undefined || lasted >= SETTLED) return FIRST;
  return Math.min(2 * before, LONGEST);
}
