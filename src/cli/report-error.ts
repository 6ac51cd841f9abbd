/** One clear line for whatever went wrong, and the exit status for it. */
import type { Command } from './command.ts';
import { CommandFailure } from './command-failure.ts';
import { UsageError } from './flags/usage-error.ts';

/** Exit status where trun itself failed, as `docker run` has it: the container's own statuses lie below. */
export const ENGINE_FAILURE = 125;

/** Exit statuses of `run`, `create` and `exec` for a program that is not there, or may not be executed: the shell's. */
export const PROGRAM_FAILURES = { COMMAND_NOT_FOUND: 127, COMMAND_NOT_EXECUTABLE: 126 } as const;

/** Prints the error and returns the exit status. */
export function reportError(
  error: unknown,
  { stderr, env }: { readonly stderr: NodeJS.WritableStream; readonly env: Readonly<NodeJS.ProcessEnv> },
  at?: { readonly title: string; readonly command: Command },
): number {
  const failure = at?.command.failure ?? 1;
  if (error instanceof UsageError) {
    stderr.write(`trun: ${oneLine(error.message)}\nSee 'trun ${at === undefined ? '' : `${at.title} `}--help'.\n`);
    return error.status ?? failure;
  }
  stderr.write(`trun: ${oneLine(messageOf(error))}\n`);
  if (env['TRUN_DEBUG'] && error instanceof Error) stderr.write(`${error.stack ?? ''}\n`);
  if (error instanceof CommandFailure) return error.status;
  return at?.command.failures?.[codeOf(error) ?? ''] ?? failure;
}

/** The message of anything thrown, for people. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Line breaks in a message (an image's, a server's) do not make it several lines; other controls do not reach the terminal. */
export function oneLine(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*/g, ': ')
    .replace(/\p{Cc}/gu, '?');
}
