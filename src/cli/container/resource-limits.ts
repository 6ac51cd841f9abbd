import { availableParallelism } from 'node:os';
import {
  type LimitFlag,
  type LimitOptions,
  parseLimit,
  parseLimits,
  parseLimitUpdate,
  type ResourceLimits,
} from '../../oci/options/limits.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';

/** The limits that the flags stand for. Throws UsageError with the name of the flag that is wrong by itself, InvalidInput for those that contradict. */
export function resourceLimits(flags: LimitOptions): ResourceLimits {
  checkEach(flags);
  return parseLimits(flags, processors());
}

/** The same for `update`: what is not named stays as it is. */
export function limitUpdate(flags: LimitOptions): ResourceLimits {
  checkEach(flags);
  return parseLimitUpdate(flags, processors());
}

function checkEach(flags: LimitOptions): void {
  for (const flag of LIMITS) {
    for (const value of [flags[flag] ?? []].flat()) {
      const one = (isList(flag) ? [value] : value) as never;
      decodeFlag(CONTAINER_FLAGS, flag, value, () => parseLimit(flag, one, processors()));
    }
  }
}

const LIMITS: readonly LimitFlag[] = [
  'blkio-weight',
  'blkio-weight-device',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpus',
  'cpuset-cpus',
  'cpuset-mems',
  'device-read-bps',
  'device-read-iops',
  'device-write-bps',
  'device-write-iops',
  'memory',
  'memory-reservation',
  'memory-swap',
  'pids-limit',
];

function isList(flag: LimitFlag): boolean {
  return CONTAINER_FLAGS[flag].kind === 'list';
}

function processors(): number {
  return availableParallelism();
}
