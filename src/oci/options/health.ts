import { parseDuration } from '../../base/duration.ts';
import { InvalidInput } from '../invalid-input.ts';

/** A health check as an image or an option states it; what is absent is inherited. Times in nanoseconds, as Docker has them. */
export interface HealthOptions {
  /** `['NONE']`, `['CMD', program, …]` or `['CMD-SHELL', line]`. */
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** A health check with everything in place. Times in milliseconds. */
export interface HealthCheck {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

const NANOSECONDS = 1e6;
/** Docker's defaults, in milliseconds. */
const DEFAULT = { interval: 30_000, timeout: 30_000, startPeriod: 0, startInterval: 5000, retries: 3 };

/** Reads a time of `--health-*`: a duration of Go's, of a millisecond at least, or 0 to inherit. Nanoseconds. */
export function parseHealthTime(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidInput(`time: invalid duration "${text}"`);
  if (milliseconds < 0 || (milliseconds > 0 && milliseconds < 1)) {
    throw new InvalidInput('it cannot be negative nor less than 1ms');
  }
  return Math.round(milliseconds * NANOSECONDS);
}

/**
 * The health check of a container: the options' over the image's. Undefined where it has none.
 * @param options of the command line, or `none` for `--no-healthcheck`
 */
export function resolveHealthCheck(
  options: HealthOptions | 'none' | undefined,
  image: HealthOptions | undefined,
): HealthCheck | undefined {
  if (options === 'none') return undefined;
  const wanted = { ...image, ...withoutZeros(options ?? {}) };
  const [kind, ...rest] = wanted.Test ?? [];
  if (kind === undefined || kind === 'NONE' || rest.length === 0) return undefined;
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') throw new InvalidInput(`Unknown healthcheck type: ${kind}`);
  function time(value: number | undefined, otherwise: number): number {
    return value === undefined || value === 0 ? otherwise : value / NANOSECONDS;
  }
  return {
    test: wanted.Test!,
    interval: time(wanted.Interval, DEFAULT.interval),
    timeout: time(wanted.Timeout, DEFAULT.timeout),
    startPeriod: time(wanted.StartPeriod, DEFAULT.startPeriod),
    startInterval: time(wanted.StartInterval, DEFAULT.startInterval),
    retries: wanted.Retries === undefined || wanted.Retries === 0 ? DEFAULT.retries : wanted.Retries,
  };
}

function withoutZeros(options: HealthOptions): HealthOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== 0));
}
