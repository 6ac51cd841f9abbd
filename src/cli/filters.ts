/** `--filter KEY=VALUE` of listings: several of one key are alternatives, labels and different keys all have to hold. */
import { InvalidInput } from '../oci/invalid-input.ts';

/** Whether a thing passes one value of a filter. */
export type FilterTest<T> = (thing: T, value: string) => boolean;

/** Reads all `--filter` values into one test. Throws where a filter is unknown. */
export function parseFilters<T>(
  values: readonly string[],
  tests: Readonly<Record<string, FilterTest<T>>>,
): (thing: T) => boolean {
  const byKey = new Map<string, string[]>();
  for (const text of values) {
    const equals = text.indexOf('=');
    if (equals < 1) throw new InvalidInput(`bad format of filter (expected name=value): ${text}`);
    const key = text.slice(0, equals).trim().toLowerCase();
    if (!Object.hasOwn(tests, key)) throw new InvalidInput(`invalid filter '${key}'`);
    byKey.set(key, [...(byKey.get(key) ?? []), text.slice(equals + 1).trim()]);
  }
  return (thing) =>
    [...byKey].every(([key, wanted]) => {
      const test = tests[key]!;
      return key === 'label' ? wanted.every((value) => test(thing, value)) : wanted.some((value) => test(thing, value));
    });
}

/** `KEY` or `KEY=VALUE` against a thing's labels. */
export function matchesLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** Docker's spellings of a truth value. Throws InvalidInput. */
export function filterBoolean(key: string, value: string): boolean {
  if (['1', 'true', 't'].includes(value.toLowerCase())) return true;
  if (['0', 'false', 'f'].includes(value.toLowerCase())) return false;
  throw new InvalidInput(`invalid filter '${key}=${value}'`);
}

/** A regular expression of the user's, found anywhere. */
export function filterPattern(key: string, value: string): RegExp {
  try {
    return new RegExp(value);
  } catch {
    throw new InvalidInput(`invalid filter '${key}=${value}': not a regular expression`);
  }
}
