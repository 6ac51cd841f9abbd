/** Values of templates: JSON's, with Go's idea of truth and of printing. */
import { TemplateError } from './template-error.ts';

export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Value[]
  | { readonly [name: string]: Value }
  /** What Go calls a method: `{{.Label "name"}}`. */
  | ((...args: Value[]) => Value);

export function isMap(value: Value): value is { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** False: `false`, 0, nothing, and whatever is empty. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Go's fmt prints with `%v`. */
export function show(value: Value): string {
  if (value === undefined || value === null) return '<no value>';
  if (isList(value)) return `[${value.map(show).join(' ')}]`;
  if (isMap(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, each]) => `${key}:${show(each)}`).join(' ')}]`;
  }
  return String(value);
}

/** What a message calls it. */
export function describe(value: Value): string {
  if (value === null || value === undefined) return 'nil';
  if (isList(value)) return 'list';
  return isMap(value) ? 'map' : typeof value;
}

/** `value.name`. Throws where there is no such field. */
export function field(value: Value, name: string, path: string): Value {
  if (isMap(value)) {
    if (Object.hasOwn(value, name)) return value[name];
    throw new TemplateError(`at <${path}>: there is no field "${name}"`);
  }
  throw new TemplateError(`at <${path}>: can't evaluate field ${name} in a value of type ${describe(value)}`);
}
