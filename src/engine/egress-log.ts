/** What the network processes have put on record about a container's flows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EgressDecision } from '../network/process/egress.ts';
import type { Container } from './container.ts';

/** A decision with its time, and how often the same was made since the entry before. */
export type EgressEntry = Omit<EgressDecision, 'container'> & { readonly time: string; readonly repeated?: number };

/** The decisions on record, oldest first; none where the container has no rules. */
export function egressDecisions({ folder }: Container): EgressEntry[] {
  return ['egress.log.1', 'egress.log'].flatMap((name) => readEntries(join(folder, name)));
}

function readEntries(path: string): EgressEntry[] {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as EgressEntry];
    } catch {
      // The last line of a process that was killed, or the end of the file.
      return [];
    }
  });
}
