/** Reads of untrusted JSON: each takes the value or says what is wrong with it. */
import { ImageError } from './image-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function parseJsonObject(bytes: Buffer, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ImageError('INVALID', `${what} is not JSON`, { cause: error });
  }
  if (!isObject(value)) throw new ImageError('INVALID', `${what} is not a JSON object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function optionalString(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new ImageError('INVALID', `${what} is not a string`);
  return value;
}

export function optionalStrings(value: unknown, what: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new ImageError('INVALID', `${what} is not a list of strings`);
  }
  return value;
}

/** A string to string map; null (Go's empty map) counts as absent. */
export function optionalStringMap(value: unknown, what: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value) || !Object.values(value).every((each) => typeof each === 'string')) {
    throw new ImageError('INVALID', `${what} is not a map of strings`);
  }
  return value as Record<string, string>;
}

/** The keys of a `{"key": {}}` set. */
export function optionalSet(value: unknown, what: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new ImageError('INVALID', `${what} is not a set`);
  return Object.keys(value);
}

/** A whole number from 0 to 2^53 - 1. */
export function requiredSize(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ImageError('INVALID', `${what} is not a size`);
  return value as number;
}
