/** `--net-rate`, `--net-delay`, `--net-loss`. */
import { InvalidInput } from '../invalid-input.ts';

const RATES: Readonly<Record<string, number>> = {
  bit: 1,
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
  bps: 8,
  kbps: 8e3,
  mbps: 8e6,
};
const TIMES: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1000 };

/** Bits a second of `10mbit` (bit, kbit, mbit, gbit; bps, kbps, mbps are bytes, as tc(8) has it). 0: no limit. */
export function parseRate(text: string): number {
  const [, number, unit = 'bit'] = /^(\d+(?:\.\d+)?)(bit|[kmg]bit|[km]?bps)?$/i.exec(text) ?? [];
  const rate = Number(number) * RATES[unit.toLowerCase()]!;
  if (!(rate === 0 || (rate >= 1000 && rate <= 1e11))) {
    throw new InvalidInput(`'${text}' is no rate from 1kbit to 100gbit, as 10mbit`);
  }
  return rate;
}

/** Milliseconds of `50ms`. */
export function parseDelay(text: string): number {
  const [, number, unit = 'ms'] = /^(\d+(?:\.\d+)?)(us|ms|s)?$/.exec(text) ?? [];
  const delay = Number(number) * TIMES[unit]!;
  if (!(delay >= 0 && delay <= 60_000)) throw new InvalidInput(`'${text}' is no delay up to 60s, as 50ms`);
  return delay;
}

/** The share of `1%`, from 0 to 1. */
export function parseLoss(text: string): number {
  const [, number] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? [];
  const loss = Number(number) / 100;
  if (!(loss >= 0 && loss <= 1)) throw new InvalidInput(`'${text}' is no share from 0% to 100%`);
  return loss;
}
