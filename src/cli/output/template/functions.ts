/** The functions of templates: those of Go's text/template and Docker's own. */
import { TemplateError } from './template-error.ts';
import { describe, isList, isMap, isTrue, show, type Value } from './value.ts';

export interface TemplateFunction {
  /** Least and greatest number of arguments. */
  readonly args: readonly [least: number, most: number];
  readonly call: (...args: Value[]) => Value;
}

const MANY = Number.POSITIVE_INFINITY;

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  and: { args: [1, MANY], call: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1) },
  or: { args: [1, MANY], call: (...values) => values.find(isTrue) ?? values.at(-1) },
  not: { args: [1, 1], call: (value) => !isTrue(value) },
  eq: { args: [2, MANY], call: (first, ...others) => others.some((other) => compare(first, other, 'eq') === 0) },
  ne: { args: [2, 2], call: (a, b) => compare(a, b, 'ne') !== 0 },
  lt: { args: [2, 2], call: (a, b) => order(a, b, 'lt') < 0 },
  le: { args: [2, 2], call: (a, b) => order(a, b, 'le') <= 0 },
  gt: { args: [2, 2], call: (a, b) => order(a, b, 'gt') > 0 },
  ge: { args: [2, 2], call: (a, b) => order(a, b, 'ge') >= 0 },
  len: { args: [1, 1], call: length },
  index: { args: [1, MANY], call: (value, ...keys) => keys.reduce(index, value) },
  slice: { args: [1, 3], call: slice },
  print: { args: [0, MANY], call: (...values) => values.map(show).join('') },
  println: { args: [0, MANY], call: (...values) => `${values.map(show).join(' ')}\n` },
  printf: { args: [1, MANY], call: (form, ...values) => printf(text(form, 'printf'), values) },
  html: {
    args: [1, MANY],
    call: (...values) =>
      values
        .map(show)
        .join('')
        .replace(/[&<>'"]/g, (c) => `&#${c.charCodeAt(0)};`),
  },
  urlquery: { args: [1, MANY], call: (...values) => encodeURIComponent(values.map(show).join('')) },
  json: { args: [1, 1], call: (value) => JSON.stringify(value ?? null) },
  split: { args: [2, 2], call: (value, separator) => text(value, 'split').split(text(separator, 'split')) },
  join: { args: [2, 2], call: (list, separator) => elements(list, 'join').map(show).join(text(separator, 'join')) },
  title: {
    args: [1, 1],
    call: (value) => text(value, 'title').replace(/(?<!\p{L})\p{L}/gu, (letter) => letter.toUpperCase()),
  },
  lower: { args: [1, 1], call: (value) => text(value, 'lower').toLowerCase() },
  upper: { args: [1, 1], call: (value) => text(value, 'upper').toUpperCase() },
  pad: { args: [3, 3], call: pad },
  truncate: {
    args: [2, 2],
    call: (value, size) => Array.from(text(value, 'truncate')).slice(0, whole(size, 'truncate')).join(''),
  },
};

function text(value: Value, name: string): string {
  if (typeof value === 'string') return value;
  throw new TemplateError(`${name} takes a string, not a value of type ${describe(value)}`);
}

function whole(value: Value, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new TemplateError(`${name} takes a whole number, not ${show(value)}`);
}

function elements(value: Value, name: string): readonly Value[] {
  if (isList(value)) return value;
  if (value === null || value === undefined) return [];
  throw new TemplateError(`${name} takes a list, not a value of type ${describe(value)}`);
}

/** 0 where they are equal. Go compares values of one basic kind only. */
function compare(a: Value, b: Value, name: string): number {
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null) ? 0 : 1;
  if (typeof a === 'object' || typeof a === 'function' || typeof b === 'object' || typeof b === 'function')
    throw new TemplateError(`${name}: values of this type cannot be compared`);
  if (typeof a !== typeof b)
    throw new TemplateError(`${name}: incompatible types for comparison: ${describe(a)} and ${describe(b)}`);
  return a === b ? 0 : a < b ? -1 : 1;
}

function order(a: Value, b: Value, name: string): number {
  if (typeof a !== 'string' && typeof a !== 'number')
    throw new TemplateError(`${name}: a value of type ${describe(a)} has no order`);
  return compare(a, b, name);
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  throw new TemplateError(`len of a value of type ${describe(value)}`);
}

/** A key that a map does not have gives nothing; an index beyond a list is an error. */
function index(value: Value, key: Value): Value {
  if (isMap(value)) {
    const name = text(key, 'index of a map');
    return Object.hasOwn(value, name) ? value[name] : '';
  }
  const at = whole(key, 'index');
  if (!isList(value)) throw new TemplateError(`index of a value of type ${describe(value)}`);
  if (at < 0 || at >= value.length) throw new TemplateError(`index out of range: ${at}`);
  return value[at];
}

function slice(value: Value, from: Value = 0, to?: Value): Value {
  if (typeof value !== 'string' && !isList(value))
    throw new TemplateError(`slice of a value of type ${describe(value)}`);
  const [first, last] = [whole(from, 'slice'), to === undefined ? value.length : whole(to, 'slice')];
  if (first < 0 || first > last || last > value.length) throw new TemplateError(`index out of range: ${first}:${last}`);
  return value.slice(first, last);
}

function pad(value: Value, before: Value, after: Value): string {
  const string = text(value, 'pad');
  return string === '' ? '' : ' '.repeat(whole(before, 'pad')) + string + ' '.repeat(whole(after, 'pad'));
}

/** The verbs that templates use: %s %v %d %q %x %t %f %%, with flags `-` and `0`, width and precision. */
function printf(form: string, values: readonly Value[]): string {
  let next = 0;
  const printed = form.replace(
    /%([-0+]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const body = printVerb(verb, values[next++], precision);
      if (flags.includes('-')) return body.padEnd(Number(width));
      return body.padStart(Number(width), flags.includes('0') ? '0' : ' ');
    },
  );
  return printed + (next < values.length ? `%!(EXTRA ${values.slice(next).map(show).join(', ')})` : '');
}

function printVerb(verb: string, value: Value, precision: string | undefined): string {
  switch (verb) {
    case 'q':
      return JSON.stringify(show(value));
    case 'x':
      return typeof value === 'number' ? value.toString(16) : Buffer.from(show(value)).toString('hex');
    case 'f':
      return typeof value === 'number' ? value.toFixed(Number(precision ?? 6)) : `%!f(${show(value)})`;
    case 's':
    case 'v':
      return precision === undefined ? show(value) : show(value).slice(0, Number(precision));
    case 'd':
    case 't':
      return show(value);
    default:
      return `%!${verb}(${show(value)})`;
  }
}
