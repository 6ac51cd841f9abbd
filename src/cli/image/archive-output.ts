import { createWriteStream, renameSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { InvalidInput } from '../../oci/invalid-input.ts';
import type { CommandContext } from '../command.ts';

export interface ArchiveOutput {
  readonly stream: Writable;
  /** Whether the stream is a file of its own, to be ended. */
  readonly isFile: boolean;
  /** All is written: the file gets its name. */
  commit(): void;
  /** Nothing is left of it. */
  discard(): void;
}

/**
 * Where `export` and `save` write: the file that `-o` names, which appears when it is complete, or standard output, where
 * that is no terminal.
 */
export function openArchiveOutput(context: CommandContext, path: string | undefined): ArchiveOutput {
  if (path === undefined || path === '-') {
    if (context.stdout.isTTY) {
      throw new InvalidInput('cowardly refusing to write an archive to a terminal: use the -o flag or redirect');
    }
    return { stream: context.stdout, isFile: false, commit: () => undefined, discard: () => undefined };
  }
  const target = resolve(context.cwd, path);
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) throw new InvalidInput(`Cannot write to ${path}: it is a directory`);
  // A pipe or a device is written to where it is.
  const isPlain = stat === undefined || stat.isFile();
  const draft = isPlain ? `${target}.${process.pid}.tmp` : target;
  return {
    stream: createWriteStream(draft, { mode: 0o600 }),
    isFile: true,
    commit: () => {
      if (isPlain) renameSync(draft, target);
    },
    discard: () => {
      if (isPlain) rmSync(draft, { force: true });
    },
  };
}
