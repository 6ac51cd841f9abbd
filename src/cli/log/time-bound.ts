import { parseDuration } from '../../base/duration.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';

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
