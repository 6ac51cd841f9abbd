/** What RUN executes, of its three forms: for a shell, as arguments, and as here-documents. */
import type { InstructionOf } from '../dockerfile/instruction.ts';
import { parseHeredoc } from '../dockerfile/heredoc.ts';
import type { ImageDraft } from '../stage/image-draft.ts';
import { commandLine } from '../stage/metadata-instructions.ts';

export interface RunCommand {
  readonly args: readonly string[];
  /** A here-document that is a program of its own (`#!`): a file to be shown in the container. */
  readonly script: { readonly path: string; readonly content: string } | undefined;
}

/** Where scripts are shown, as in BuildKit. /dev is no part of the image. */
const SCRIPTS = '/dev/pipes';

export function runCommand({ command, heredocs }: InstructionOf<'run'>, draft: ImageDraft): RunCommand {
  const [first] = heredocs;
  if (first === undefined || command.form === 'exec') return { args: commandLine(command, draft), script: undefined };
  const isAlone = parseHeredoc(command.script) !== undefined && heredocs.length === 1;
  if (isAlone && first.content.startsWith('#!')) {
    const path = `${SCRIPTS}/${first.name}`;
    return { args: commandLine({ form: 'shell', script: path }, draft), script: { path, content: first.content } };
  }
  // Alone, it is the script; else the shell gets line and documents as they stand.
  const script = isAlone
    ? first.content
    : [command.script, ...heredocs.map(({ content, name }) => `${content}${name}`)].join('\n');
  return { args: commandLine({ form: 'shell', script }, draft), script: undefined };
}
