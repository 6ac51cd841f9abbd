import { InvalidInput } from '../invalid-input.ts';

/** Reads `--label KEY=value` or `--label KEY`, whose value is empty. */
export function parseLabel(text: string): [key: string, value: string] {
  const equals = text.indexOf('=');
  if (text === '' || equals === 0) throw new InvalidInput(`invalid label '${text}': empty name`);
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
