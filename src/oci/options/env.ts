import { InvalidInput } from '../invalid-input.ts';

/**
 * Reads `--env NAME=value`, or `--env NAME`, which takes the value from `host`, our own environment. A name that is not
 * set there comes back bare: it unsets the image's variable.
 */
export function parseEnv(text: string, host: Readonly<Record<string, string | undefined>>): string {
  const equals = text.indexOf('=');
  if (text === '' || equals === 0) throw new InvalidInput(`invalid environment variable: ${text}`);
  if (equals > 0) return text;
  const value = host[text];
  return value === undefined ? text : `${text}=${value}`;
}

/**
 * Reads an `--env-file` (or, with an empty `host`, a `--label-file`): a variable a line, as with `--env`; lines that are
 * empty or begin with `#` are skipped, values are taken as they stand, quotes and trailing blanks included.
 */
export function parseEnvFile(
  contents: Uint8Array,
  name: string,
  host: Readonly<Record<string, string | undefined>>,
): string[] {
  const variables: string[] = [];
  for (const [i, line] of decodeLines(contents, name).entries()) {
    const trimmed = line.trimStart();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const equals = trimmed.indexOf('=');
    const variable = equals < 0 ? trimmed.trimEnd() : trimmed.slice(0, equals);
    if (variable === '') {
      throw new InvalidInput(`poorly formatted environment: no variable name on line '${trimmed}' (${name}:${i + 1})`);
    }
    if (/\s/.test(variable)) {
      throw new InvalidInput(
        `poorly formatted environment: variable '${variable}' contains whitespaces (${name}:${i + 1})`,
      );
    }
    if (equals >= 0) variables.push(trimmed);
    else if (host[variable] !== undefined) variables.push(`${variable}=${host[variable]}`);
  }
  return variables;
}

function decodeLines(contents: Uint8Array, name: string): string[] {
  try {
    // A byte order mark at the start is left out by the decoder.
    return new TextDecoder('utf-8', { fatal: true }).decode(contents).split(/\r?\n/);
  } catch {
    throw new InvalidInput(`env file ${name} contains invalid utf8 bytes`);
  }
}
