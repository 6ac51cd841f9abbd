import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CommandContext } from '../command.ts';

/** Asks the terminal for a line; a secret one does not show. */
export async function askForLine(context: CommandContext, prompt: string, isShown: boolean): Promise<string> {
  context.stdout.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: context.stdin, output: isShown ? context.stdout : nowhere, terminal: true });
  try {
    const line = await reader.question('');
    if (!isShown) context.stdout.write('\n');
    return line.trim();
  } finally {
    reader.close();
  }
}
