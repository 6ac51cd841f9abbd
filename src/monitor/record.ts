/** What a plan under execution reports. */
import { describeErrno } from '../sys/system-error.ts';
import type { LaunchPlan } from './plan.ts';
import { RECORD, RECORD_KIND } from './plan-layout.ts';

/** An operation of a plan that failed. */
export class LaunchError extends Error {
  readonly code: string;
  readonly errno: number;
  /** What could not be done, without "Cannot". */
  readonly action: string;

  constructor(action: string, errno: number) {
    const [code, text] = describeErrno(errno);
    super(`Cannot ${action}: ${text} (${code})`);
    this.name = 'LaunchError';
    this.code = code;
    this.errno = -errno;
    this.action = action;
  }
}

/** A note carries the value of its operation; an exit the wait(2) status. */
export type MonitorRecord = { readonly kind: 'note' | 'exit'; readonly value: number };

/** One record of the status socket. Throws a LaunchError where it reports one. */
export function decodeRecord(plan: Pick<LaunchPlan, 'action'>, record: Buffer): MonitorRecord {
  const kind = record.readUInt32LE(RECORD.kind);
  const value = Number(record.readBigInt64LE(RECORD.value));
  if (kind === RECORD_KIND.error) throw new LaunchError(plan.action(record.readUInt32LE(RECORD.operation)), value);
  return { kind: kind === RECORD_KIND.exit ? 'exit' : 'note', value };
}
