import { InvalidInput } from '../invalid-input.ts';
import { RLIMIT_UNLIMITED, RLIMITS } from '../rlimits.ts';
import type { Rlimit } from '../runtime-spec.ts';

/** Reads `--ulimit NAME=SOFT[:HARD]`, as `nofile=1024:2048`; -1 and `unlimited` are no limit, `HARD` defaults to `SOFT`. */
export function parseUlimit(text: string): Rlimit {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidInput(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  const type = `RLIMIT_${name.toUpperCase()}`;
  // Docker has no `as`: the runtime could not start anything under it.
  if (!(type in RLIMITS) || name !== name.toLowerCase() || name === 'as') {
    throw new InvalidInput(`invalid ulimit type: ${name}`);
  }
  const limits = text.slice(equals + 1).split(':');
  if (limits.length > 2) {
    throw new InvalidInput(
      `too many limit value arguments - ${limits.join(':')}, can only have up to two, \`soft[:hard]\``,
    );
  }
  const soft = parseLimit(limits[0]!);
  const hard = limits[1] === undefined ? soft : parseLimit(limits[1]);
  if (soft > hard) {
    throw new InvalidInput(
      `ulimit soft limit must be less than or equal to hard limit: ${limits.map((limit) => limit.trim()).join(' > ')}`,
    );
  }
  return { type, soft, hard };
}

function parseLimit(text: string): number {
  if (text === '-1' || text === 'unlimited') return RLIMIT_UNLIMITED;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidInput(`invalid ulimit value: "${text}"`);
  return Number(text);
}
