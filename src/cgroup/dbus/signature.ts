/**
 * D-Bus types by their signature (D-Bus specification, "Type System"), as far as both directions need them: splitting a
 * signature into complete types and the alignment of each.
 */

/** A value of each type: numbers for y n q i u d, bigint for x t, string for s o g; `Variant` for v. */
export type Value = boolean | number | bigint | string | Variant | readonly Value[];

export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** Bytes that a value of each type starts at a multiple of. */
const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  b: 4,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  x: 8,
  t: 8,
  d: 8,
  s: 4,
  o: 4,
  g: 1,
  v: 1,
  a: 4,
  '(': 8,
  '{': 8,
};

/** The specification's limit for arrays and structs within each other. */
const DEEPEST = 32;

/** The complete types of `signature`, one after the other; throws where it is none. */
export function completeTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

export function alignmentOf(type: string): number {
  return ALIGNMENT[type[0] ?? ''] ?? invalid(type);
}

/** The types between the brackets of a struct or dict entry. */
export function memberTypes(type: string): string[] {
  return completeTypes(type.slice(1, -1));
}

function endOfType(signature: string, at: number, depth: number): number {
  const code = signature[at];
  if (code === undefined || depth > DEEPEST) return invalid(signature);
  if (code === 'a') return endOfType(signature, at + 1, depth + 1);
  if (code !== '(' && code !== '{') return code in ALIGNMENT ? at + 1 : invalid(signature);
  const close = code === '(' ? ')' : '}';
  let end = at + 1;
  while (signature[end] !== close) end = endOfType(signature, end, depth + 1);
  return end + 1;
}

function invalid(signature: string): never {
  throw new Error(`invalid D-Bus signature '${signature}'`);
}
