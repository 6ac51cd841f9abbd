/** A container's health by its probes: Docker's rules, without clock or effect; and its record, `health.json`. */
import { join } from 'node:path';
import type { HealthCheck } from '../oci/options/health.ts';
import { readJson } from '../state/atomic-file.ts';
import type { Container } from './container.ts';

/** One run of the check's program. */
export interface Probe {
  /** ISO 8601. */
  readonly start: string;
  readonly end: string;
  /** The program's; -1 where it could not be run or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  /** Failures since the last success. */
  readonly failingStreak: number;
  /** The last LOG_LENGTH, oldest first. */
  readonly log: readonly Probe[];
}

export const NEW_HEALTH: Health = { status: 'starting', failingStreak: 0, log: [] };

const LOG_LENGTH = 5;

/**
 * Health after a probe. Failures within the start period do not count, until the first success ends it.
 * @param age milliseconds since the container's start, when the probe began
 */
export function afterProbe(before: Health, probe: Probe, check: HealthCheck, age: number): Health {
  const log = [...before.log, probe].slice(-LOG_LENGTH);
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (before.status === 'starting' && age < check.startPeriod) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= check.retries ? 'unhealthy' : before.status, failingStreak, log };
}

/** Milliseconds from the end of one probe (or the start) to the next. */
export function probeInterval({ status }: Health, check: HealthCheck, age: number): number {
  return status === 'starting' && age < check.startPeriod ? check.startInterval : check.interval;
}

export function healthPath(folder: string): string {
  return join(folder, 'health.json');
}

/** What listings show: undefined of a container that does not run, or has no health check. */
export function shownHealth({ folder, config, state }: Container): Health['status'] | undefined {
  if (config.health === undefined || state.status !== 'running') return undefined;
  return readHealth(folder)?.status ?? 'starting';
}

/** Undefined where nothing was probed yet. */
export function readHealth(folder: string): Health | undefined {
  return readJson<Health>(healthPath(folder));
}
