/** `--name=value` between an instruction's keyword and its arguments. */
import type { PlacedWord } from './shell-words.ts';

export interface FlagShape {
  readonly [name: string]: 'text' | 'boolean' | 'list';
}

export type FlagsOf<T extends FlagShape> = {
  readonly [Name in keyof T]: T[Name] extends 'list'
    ? readonly string[]
    : T[Name] extends 'boolean'
      ? boolean | undefined
      : string | undefined;
};

/** A flag that cannot be: the word that it is about. */
export class FlagError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Reads the flags that the words begin with; returns the offset at which the arguments begin. */
export function readFlags<const T extends FlagShape>(
  text: string,
  words: readonly PlacedWord[],
  shape: T,
  escape: string,
): { flags: FlagsOf<T>; rest: number } {
  const values: Record<string, string | boolean | string[] | undefined> = {};
  for (const [name, kind] of Object.entries(shape)) values[name] = kind === 'list' ? [] : undefined;
  let rest = text.length;
  for (const { text: word, offset } of words) {
    if (!word.startsWith('--')) {
      rest = offset;
      break;
    }
    if (word === '--') {
      rest = offset + 2;
      break;
    }
    const bare = unquote(word, escape);
    const equals = bare.indexOf('=');
    const name = bare.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : bare.slice(equals + 1);
    const kind = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (kind === undefined)
      throw new FlagError(`unknown flag: --${name}${suggestion(name, Object.keys(shape))}`, offset);
    if (kind !== 'boolean' && value === undefined) throw new FlagError(`missing a value on flag: ${name}`, offset);
    if (kind === 'list') (values[name] as string[]).push(value!);
    else if (values[name] !== undefined) throw new FlagError(`duplicate flag specified: ${name}`, offset);
    else if (kind === 'text') values[name] = value!;
    else values[name] = readBoolean(name, value, offset);
  }
  return { flags: values as FlagsOf<T>, rest };
}

function readBoolean(name: string, value: string | undefined, offset: number): boolean {
  const lower = value?.toLowerCase();
  if (lower === undefined || lower === 'true') return true;
  if (lower === 'false') return false;
  throw new FlagError(`expecting boolean value for flag ${name}, not: ${value ?? ''}`, offset);
}

/** A flag's quotes and escapes go, its variables stay. */
function unquote(word: string, escape: string): string {
  let result = '';
  let quote = '';
  for (let at = 0; at < word.length; at++) {
    const character = word[at]!;
    if (character === escape && quote !== "'" && at + 1 < word.length) {
      // An escaped `$` is still escaped when variables are expanded.
      if (word[at + 1] === '$') result += escape;
      result += word[++at]!;
    } else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    else result += character;
  }
  return result;
}

/** ` (did you mean X?)` where one of the candidates is nearly what was written. */
export function suggestion(given: string, candidates: readonly string[]): string {
  const near = candidates
    .map((candidate) => ({ candidate, distance: editDistance(given.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance, candidate }) => distance <= Math.min(2, Math.floor(candidate.length / 2)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? '' : ` (did you mean ${near.candidate}?)`;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, character] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (character === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
