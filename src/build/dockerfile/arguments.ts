/** The forms that instructions' arguments come in. */
import type { Command, KeyValue } from './instruction.ts';
import { placedWords } from './shell-words.ts';

/** A mistake in an instruction's arguments, at an offset of its text. */
export class ArgumentError extends Error {
  readonly offset: number | undefined;

  constructor(message: string, offset?: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * A JSON array of strings; undefined where the text is none, for then it is meant for a shell (`[ -f x ] && …`). An array
 * of something else is a mistake.
 */
export function jsonStrings(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (value.every((each) => typeof each === 'string')) return value;
  throw new ArgumentError('when using JSON array syntax, arrays must be comprised of strings only');
}

export function parseCommand(text: string): Command {
  const args = jsonStrings(text);
  return args === undefined ? { form: 'shell', script: text } : { form: 'exec', args };
}

/** A JSON array, or words between blanks. */
export function parseList(text: string): string[] {
  return jsonStrings(text) ?? text.split(/[\t\v\f\r ]+/).filter((word) => word !== '');
}

/** `name=value …`, or the old `name value with blanks`. */
export function parsePairs(keyword: string, text: string, escape: string): KeyValue[] {
  const words = placedWords(text, escape);
  const [first] = words;
  if (first === undefined) throw new ArgumentError(`${keyword} requires at least one argument`);
  if (!first.text.includes('=')) {
    const value = text.slice(first.offset + first.text.length).trim();
    if (words.length < 2) throw new ArgumentError(`${keyword} must have two arguments`, first.offset);
    return [{ key: first.text, value, legacy: true }];
  }
  return words.map(({ text: word, offset }) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw new ArgumentError(`Syntax error - can't find = in "${word}". Must be of the form: name=value`, offset);
    }
    if (equals === 0) throw new ArgumentError(`${keyword} names can not be blank`, offset);
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

const UNITS = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 } as const;

/** Go's time.ParseDuration: `1m30s`, in nanoseconds. Throws where it is none. */
export function parseGoDuration(text: string): number {
  if (text === '0') return 0;
  const pattern = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/y;
  let total = 0;
  for (pattern.lastIndex = 0; pattern.lastIndex < text.length;) {
    const match = pattern.exec(text);
    if (match === null) throw new ArgumentError(`time: invalid duration "${text}"`);
    total += Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  }
  if (text === '') throw new ArgumentError('time: invalid duration ""');
  return Math.round(total);
}
