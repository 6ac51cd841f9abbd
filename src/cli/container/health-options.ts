import { type HealthOptions, parseHealthTime } from '../../oci/options/health.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { UsageError } from '../flags/usage-error.ts';
import type { ContainerFlags } from './container-request.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';

const TIMES = {
  'health-interval': 'Interval',
  'health-timeout': 'Timeout',
  'health-start-period': 'StartPeriod',
  'health-start-interval': 'StartInterval',
} as const;

/** What `--health-*` and `--no-healthcheck` say; undefined where they say nothing. Throws UsageError. */
export function healthOptions(flags: ContainerFlags): HealthOptions | 'none' | undefined {
  const { 'health-cmd': command, 'health-retries': retries } = flags;
  const options: Record<string, unknown> = {};
  if (command !== undefined && command !== '') options['Test'] = ['CMD-SHELL', command];
  for (const [flag, key] of Object.entries(TIMES) as [keyof typeof TIMES, string][]) {
    const text = flags[flag];
    if (text !== undefined) options[key] = decodeFlag(CONTAINER_FLAGS, flag, text, parseHealthTime);
  }
  if (retries !== undefined) {
    if (retries < 0) throw new UsageError('--health-retries cannot be negative');
    options['Retries'] = retries;
  }
  const isEmpty = Object.keys(options).length === 0;
  if (!flags['no-healthcheck']) return isEmpty ? undefined : options;
  if (!isEmpty) throw new UsageError('--no-healthcheck conflicts with --health-* options');
  return 'none';
}
