/**
 * Reads flags as Docker does, which is by the rules and with the messages of Go's github.com/spf13/pflag: `--flag value`,
 * `--flag=value`, `-f value`, `-fvalue`, `-f=value`, combined `-it`, `--flag=false` for booleans, `--` ends the flags.
 */
import type { Flag, FlagTable, FlagValues } from './flag.ts';
import { flagTitle } from './flag.ts';
import { UsageError } from './usage-error.ts';

/** Exit status of a command whose flags are wrong, whichever it is. */
const BAD_FLAG = 125;

export interface ParsedFlags<T extends FlagTable> {
  readonly values: FlagValues<T>;
  readonly args: readonly string[];
  /** `--help` has been asked for: nothing else counts. */
  readonly help: boolean;
}

/**
 * Splits the words after a command into flags and arguments. Throws UsageError.
 * @param interspersed whether flags may follow arguments; else the first argument ends them
 */
export function parseFlags<T extends FlagTable>(
  table: T,
  words: readonly string[],
  interspersed: boolean,
): ParsedFlags<T> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) {
    values[name] = flag.kind === 'list' ? [] : flag.kind === 'integer' ? undefined : (flag.preset ?? absent(flag));
  }
  function done(args: readonly string[], help = false): ParsedFlags<T> {
    return { values: values as FlagValues<T>, args, help };
  }
  const args: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return done([...args, ...rest]);
    if (word === '-' || !word.startsWith('-')) {
      args.push(word);
      if (!interspersed) return done([...args, ...rest]);
    } else if (word.startsWith('--')) {
      const [name, value] = splitAtEquals(word.slice(2));
      if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${word}`, BAD_FLAG);
      const flag = Object.hasOwn(table, name) ? table[name] : undefined;
      if (flag === undefined && name === 'help') return done(args, true);
      if (flag === undefined) throw new UsageError(`unknown flag: --${name}`, BAD_FLAG);
      set(values, name, flag, value ?? (flag.kind === 'boolean' ? 'true' : take(rest, `--${name}`)));
    } else if (setShort(table, values, word, rest)) {
      return done(args, true);
    }
  }
  return done(args);
}

/** Reads a word as `-it` or `-p80`; whether it asks for help. */
function setShort(table: FlagTable, values: Record<string, unknown>, word: string, rest: string[]): boolean {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!;
    const found = Object.entries(table).find(([, { short }]) => short === letter);
    if (found === undefined && letter === 'h') return true;
    if (found === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}`, BAD_FLAG);
    const [name, flag] = found;
    const tail = word.slice(at + 1);
    if (tail.startsWith('=')) {
      set(values, name, flag, tail.slice(1));
      return false;
    }
    if (flag.kind === 'boolean') {
      set(values, name, flag, 'true');
    } else {
      set(values, name, flag, tail === '' ? take(rest, `'${letter}' in ${word}`) : tail);
      return false;
    }
  }
  return false;
}

function absent(flag: Flag): false | undefined {
  return flag.kind === 'boolean' ? false : undefined;
}

function take(rest: string[], flag: string): string {
  const value = rest.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: ${flag}`, BAD_FLAG);
  return value;
}

function splitAtEquals(text: string): [string, string | undefined] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function set(values: Record<string, unknown>, name: string, flag: Flag, text: string): void {
  if (flag.unsupported !== undefined) {
    const reason = flag.unsupported === 'yet' ? 'trun does not have it yet' : flag.unsupported;
    throw new UsageError(`--${name} is not supported: ${reason}`, BAD_FLAG);
  }
  switch (flag.kind) {
    case 'boolean':
      values[name] = parseBoolean(name, flag, text);
      return;
    case 'integer':
      if (!/^[+-]?\d{1,10}$/.test(text)) throw badValue(name, flag, text, `parsing "${text}": invalid syntax`);
      values[name] = Number(text);
      return;
    case 'text':
      values[name] = text;
      return;
    case 'list':
      (values[name] as string[]).push(text);
  }
}

/** The spellings that Go's strconv.ParseBool takes. */
function parseBoolean(name: string, flag: Flag, text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw badValue(name, flag, text, `parsing "${text}": invalid syntax`);
}

/** The error for a flag's value that cannot be what was meant. */
export function badValue(name: string, flag: Flag, text: string, reason: string): UsageError {
  return new UsageError(`invalid argument "${text}" for "${flagTitle(name, flag)}" flag: ${reason}`, BAD_FLAG);
}

/**
 * Decodes a flag's value. Throws UsageError with the parser's reason where it throws one whose code is `INVALID`.
 * @param table where the flag stands
 */
export function decodeFlag<R>(table: FlagTable, name: string, text: string, parse: (text: string) => R): R {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'INVALID') {
      throw badValue(name, table[name]!, text, error.message);
    }
    throw error;
  }
}
