import { InvalidInput } from '../invalid-input.ts';

/** Whose namespace a container has: its own, the host's, or another container's (by name or id). */
export type NamespaceChoice = 'private' | 'host' | { readonly container: string };

/** Reads `--ipc`: `shareable` is what `private` is here too, `none` has no /dev/shm besides. */
export function parseIpc(text: string): NamespaceChoice | 'none' {
  if (text === '' || text === 'shareable') return 'private';
  return text === 'none' ? text : parse(text, 'IPC');
}

/** Reads `--pid`. */
export function parsePid(text: string): NamespaceChoice {
  return text === '' ? 'private' : parse(text, 'PID');
}

/** Reads `--uts`: `host` alone is another than its own. */
export function parseUts(text: string): 'private' | 'host' {
  if (text === '' || text === 'private') return 'private';
  if (text === 'host') return 'host';
  throw new InvalidInput('invalid UTS mode');
}

/**
 * Reads `--userns`: a namespace of its own in the user's (`private`, `auto`), the user's itself (`host`), or one of its own in
 * which the user keeps its id (`keep-id`).
 */
export function parseUserns(text: string): 'private' | 'host' | 'keep-id' {
  if (text === '' || text === 'private' || text === 'auto') return 'private';
  if (text === 'host' || text === 'keep-id') return text;
  throw new InvalidInput(`invalid USER mode: '${text}' is none of host, private, auto, keep-id`);
}

function parse(text: string, kind: string): NamespaceChoice {
  if (text === 'private' || text === 'host') return text;
  const container = /^container:(.+)$/s.exec(text)?.[1];
  if (container === undefined) throw new InvalidInput(`invalid ${kind} mode`);
  return { container };
}
