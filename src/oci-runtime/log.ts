/**
 * Messages, in the forms of runc's logger: lines of `key=value`, or a JSON object a line, in `--log` or on stderr. An
 * error that goes to a log file goes to stderr as well. Everything is written at once, past Node's streams: those would
 * make the caller's stderr, which containers inherit, non-blocking.
 */
import { appendFileSync, writeSync } from 'node:fs';

export type Level = 'debug' | 'info' | 'warning' | 'error';

export interface LogOptions {
  readonly file: string | undefined;
  readonly format: 'text' | 'json';
  readonly debug: boolean;
}

let options: LogOptions = { file: undefined, format: 'text', debug: false };

export function configureLog(wanted: LogOptions): void {
  options = wanted;
}

export function log(level: Level, message: string): void {
  if (level === 'debug' && !options.debug) return;
  const line = `${options.format === 'json' ? asJson(level, message) : asText(level, message)}\n`;
  const { file } = options;
  if (file === undefined) {
    writeQuietly(() => writeSync(2, line));
    return;
  }
  writeQuietly(() => appendFileSync(file, line, { mode: 0o644 }));
  if (level === 'error') writeQuietly(() => writeSync(2, `${message}\n`));
}

/** RFC 3339 to the second, as engines parse it. */
function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

function asText(level: Level, message: string): string {
  return `time="${now()}" level=${level} msg=${JSON.stringify(message)}`;
}

function asJson(level: Level, message: string): string {
  return JSON.stringify({ level, msg: message, time: now() });
}

function writeQuietly(write: () => unknown): void {
  try {
    write();
  } catch {
    // Nobody is there to be told.
  }
}
