import { InvalidInput } from './invalid-input.ts';

/** Checks that `value`, found at `path` of a document, has a shape, and returns it typed; throws `InvalidInput`. */
export type Shape<T> = (value: unknown, path: string) => T;

type Shapes = Readonly<Record<string, Shape<unknown>>>;
type Of<S> = S extends Shape<infer T> ? T : never;
type RecordOf<R extends Shapes, O extends Shapes> = { -readonly [K in keyof R]: Of<R[K]> } & {
  -readonly [K in keyof O]?: Of<O[K]>;
};

/** Like `JSON.parse`, but integers beyond 2^53 arrive as bigint instead of rounded: masks and RLIM_INFINITY need it. */
export function parseJson(text: string, what: string): unknown {
  // ECMA-262 "JSON.parse source text access": the reviver's third argument has the digits as written.
  function reviver(_key: string, value: unknown, context?: { source?: string }): unknown {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    return context?.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
  }
  try {
    return JSON.parse(text, reviver);
  } catch (error) {
    throw new InvalidInput(`${what}: not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function text(value: unknown, path: string): string {
  if (typeof value !== 'string') fail(path, 'a string', value);
  // Everything in these documents ends up as a C string somewhere.
  if (value.includes('\0')) throw new InvalidInput(`${path}: must not contain a NUL byte`);
  return value;
}

export function flag(value: unknown, path: string): boolean {
  return typeof value === 'boolean' ? value : fail(path, 'true or false', value);
}

/** An integer of `min` to `max`; one beyond 2^53 comes rounded to a double. */
export function integer(min: number, max: number): Shape<number> {
  return (value, path) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    const whole = typeof number === 'number' && Number.isInteger(number);
    return whole && number >= min && number <= max ? number : fail(path, `an integer from ${min} to ${max}`, value);
  };
}

/** A 64-bit value, of which no bit may get lost. */
export function uint64(value: unknown, path: string): bigint {
  const wide = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof wide !== 'bigint' || wide < 0n || wide >= 1n << 64n) fail(path, 'an unsigned 64-bit integer', value);
  return wide;
}

export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  return (value, path) => values.find((known) => known === value) ?? fail(path, `one of ${values.join(', ')}`, value);
}

export function listOf<T>(item: Shape<T>): Shape<T[]> {
  return (value, path) =>
    Array.isArray(value) ? value.map((element, i) => item(element, `${path}[${i}]`)) : fail(path, 'a list', value);
}

export function mapOf<T>(item: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    if (!isObject(value)) fail(path, 'an object', value);
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, item(field, `${path}.${key}`)]));
  };
}

/** An object with all of `required` and any of `optional` (null counts as absent); other fields are left out. */
export function record<R extends Shapes, O extends Shapes>(required: R, optional: O): Shape<RecordOf<R, O>> {
  return (value, path) => {
    if (!isObject(value)) fail(path, 'an object', value);
    const result: Record<string, unknown> = {};
    for (const [key, shape] of Object.entries(required)) {
      if (value[key] === undefined) throw new InvalidInput(`${join(path, key)}: is missing`);
      result[key] = shape(value[key], join(path, key));
    }
    for (const [key, shape] of Object.entries(optional)) {
      if (value[key] !== undefined && value[key] !== null) result[key] = shape(value[key], join(path, key));
    }
    return result as RecordOf<R, O>;
  };
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(path: string, wanted: string, value: unknown): never {
  const shown = typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  throw new InvalidInput(
    `${path === '' ? 'document' : path}: must be ${wanted}, not ${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown}`,
  );
}
