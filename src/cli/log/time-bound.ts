import { InvalidInput } from '../../oci/invalid-input.ts';

/** Milliseconds in Go's units of time. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads `--since` and `--until` as Docker does: a time (`2013-01-02T13:23:37Z`, less precise, or without a zone, which is
 * then ours), seconds since 1970, or how long ago (`42m`, `1h30m`). Milliseconds since 1970.
 */
export function parseTimeBound(text: string, now: Date): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return now.getTime() - ago;
  if (/^\d+(\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match !== null) {
    const [, day, hour = '00', minute = '00', second = '00', zone = ''] = match;
    const time = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
    if (!Number.isNaN(time)) return time;
  }
  throw new InvalidInput(`"${text}" is neither a time, as 2013-01-02T13:23:37Z, nor a span of time, as 42m`);
}

/** Milliseconds in a duration of Go's, as `1h30m`; undefined for anything else. */
function parseDuration(text: string): number | undefined {
  if (!/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(number) * UNITS[unit!]!;
  }
  return text.startsWith('-') ? -sum : sum;
}
