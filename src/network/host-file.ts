import { readFileSync } from 'node:fs';

/** The text of a file of the host's configuration; empty where there is none or it can't be read. */
export function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
