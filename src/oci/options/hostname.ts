import { InvalidInput } from '../invalid-input.ts';

/** Checks `--hostname`: RFC 1123 labels joined by dots, and short enough for sethostname(2) (HOST_NAME_MAX). */
export function parseHostname(text: string): string {
  const valid = text.length <= 64 && /^(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.?)+$/.test(text) && !text.includes('..');
  if (!valid) throw new InvalidInput(`invalid hostname format for --hostname: ${text}`);
  return text;
}
