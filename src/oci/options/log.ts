import { InvalidInput } from '../invalid-input.ts';
import { parseSize } from './size.ts';

/** Where a container's output goes, and how much of it is kept. */
export interface LogOptions {
  readonly driver: 'json-file' | 'local' | 'none';
  /** As given, for `inspect`. */
  readonly options: Readonly<Record<string, string>>;
  /** Bytes of a file, and how many of them; absent: one without end. */
  readonly maxSize?: number;
  readonly maxFiles: number;
}

/** What `local` keeps without options, Docker's; and `none`, whose output is for those who are attached alone. */
const LOCAL = { maxSize: 20 << 20, maxFiles: 5 };
const NONE = { maxSize: 8 << 20, maxFiles: 2 };

/** Reads `--log-driver` and all `--log-opt`. */
export function parseLogOptions(driver: string | undefined, texts: readonly string[]): LogOptions {
  const options = Object.fromEntries(texts.map(splitOption));
  if (driver === 'none') {
    if (texts.length > 0) throw new InvalidInput(`unknown log opt '${Object.keys(options)[0]!}' for none log driver`);
    return { driver, options, ...NONE };
  }
  if (driver !== undefined && driver !== 'json-file' && driver !== 'local') {
    throw new InvalidInput(`logger: no log driver named '${driver}' is registered: trun has json-file, local and none`);
  }
  const name = driver ?? 'json-file';
  for (const key of Object.keys(options)) {
    if (!['max-size', 'max-file', 'mode', 'compress'].includes(key)) {
      throw new InvalidInput(`unknown log opt '${key}' for ${name} log driver`);
    }
  }
  const presets = name === 'local' ? LOCAL : { maxFiles: 1 };
  const maxSize = options['max-size'] === undefined ? undefined : parseMaxSize(options['max-size']);
  const maxFiles = options['max-file'] === undefined ? undefined : parseMaxFile(options['max-file']);
  if (maxFiles !== undefined && maxFiles > 1 && maxSize === undefined && name === 'json-file') {
    throw new InvalidInput('max-file cannot be given without max-size');
  }
  return {
    driver: name,
    options,
    ...presets,
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
  };
}

function splitOption(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidInput(`invalid logging opts format: ${text}`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function parseMaxSize(text: string): number | undefined {
  if (text === '-1') return undefined;
  const size = parseSize(text);
  if (size === 0) throw new InvalidInput('max-size must be a positive number');
  return size;
}

function parseMaxFile(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidInput(`max-file cannot be less than 1: ${text}`);
  return Number(text);
}
