import type { CommandContext } from './command.ts';
import { messageOf, oneLine } from './report-error.ts';

/**
 * Does the same to every name at once, and prints in the order of the names: what `work` resolves to, else the name; or
 * what went wrong. Resolves to the exit status: 1 where anything did.
 * @param isHarmless tells the errors that are printed and count for nothing
 */
export async function eachName(
  context: CommandContext,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
  isHarmless: (error: unknown) => boolean = () => false,
): Promise<number> {
  let status = 0;
  const running = names.map(async (name) => {
    try {
      return { line: (await work(name)) ?? name };
    } catch (error) {
      return { error };
    }
  });
  for (const result of running) {
    const outcome = await result;
    if ('line' in outcome) {
      context.print(outcome.line);
    } else {
      context.complain(oneLine(messageOf(outcome.error)));
      if (!isHarmless(outcome.error)) status = 1;
    }
  }
  return status;
}
