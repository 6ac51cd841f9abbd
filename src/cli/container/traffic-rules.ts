import type { TrafficRules } from '../../base/traffic.ts';
import { parseEgress } from '../../oci/options/egress.ts';
import { parseDelay, parseLoss, parseRate } from '../../oci/options/link-limits.ts';
import type { FlagTable } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';

interface TrafficFlags {
  readonly egress: readonly string[];
  readonly 'net-rate': string | undefined;
  readonly 'net-delay': string | undefined;
  readonly 'net-loss': string | undefined;
}

/** The rules that flags give, and none of the others. Throws UsageError. */
export function readTraffic(table: FlagTable, flags: TrafficFlags): TrafficRules {
  function one(name: 'net-rate' | 'net-delay' | 'net-loss', parse: (text: string) => number): number | undefined {
    const text = flags[name];
    return text === undefined ? undefined : decodeFlag(table, name, text, parse);
  }
  const rate = one('net-rate', parseRate);
  const delay = one('net-delay', parseDelay);
  const loss = one('net-loss', parseLoss);
  return {
    ...(rate === undefined ? {} : { rate }),
    ...(delay === undefined ? {} : { delay }),
    ...(loss === undefined ? {} : { loss }),
    ...(flags.egress.length === 0
      ? {}
      : { egress: flags.egress.flatMap((text) => decodeFlag(table, 'egress', text, parseEgress)) }),
  };
}
