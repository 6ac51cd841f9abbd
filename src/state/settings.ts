/**
 * The configuration file: `config.json` in the state folder, and `/etc/trun/config.json` for all users of a machine; of a key that
 * both have the user's counts. Each part of trun checks the keys that it uses; others are nobody's concern.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Settings = Readonly<Record<string, unknown>>;

const SITE_FILE = '/etc/trun/config.json';

/** A configuration file that cannot be used. The message says which and how. */
export class SettingsError extends Error {
  readonly code = 'INVALID';
}

/** @param root the state folder */
export function readSettings(root: string): Settings {
  return { ...readFile(SITE_FILE), ...readFile(join(root, 'config.json')) };
}

function readFile(path: string): Settings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new SettingsError(`Cannot read the configuration ${path}: ${(error as Error).message}`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(`Cannot read the configuration ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Settings;
  throw new SettingsError(`Cannot read the configuration ${path}: it is not a JSON object`);
}

/** A list of strings; absent: empty. */
export function settingStrings(settings: Settings, key: string): readonly string[] {
  const value = settings[key] ?? [];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new SettingsError(`The configuration's "${key}" is not a list of strings`);
}

/** A string; absent: undefined. */
export function settingString(settings: Settings, key: string): string | undefined {
  const value = settings[key] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw new SettingsError(`The configuration's "${key}" is not a string`);
}

/** A truth value; absent: undefined. */
export function settingBoolean(settings: Settings, key: string): boolean | undefined {
  const value = settings[key] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw new SettingsError(`The configuration's "${key}" is neither true nor false`);
}

/** Lists of strings by name; absent: none. */
export function settingLists(settings: Settings, key: string): Readonly<Record<string, readonly string[]>> {
  const value = settings[key] ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new SettingsError(`The configuration's "${key}" is not an object of lists`);
  }
  const lists = value as Settings;
  return Object.fromEntries(Object.keys(lists).map((name) => [name, settingStrings(lists, name)]));
}
