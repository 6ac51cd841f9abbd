import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './command.ts';

/** Asks before something is removed for good; anything but `y` and `yes` is no. @param warning what will be done */
export async function confirm(context: CommandContext, warning: string): Promise<boolean> {
  const question = `WARNING! ${warning}\nAre you sure you want to continue? [y/N] `;
  const asking = createInterface({ input: context.stdin, output: context.stdout });
  try {
    const answer = await Promise.race([asking.question(question), endOf(asking)]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

/** An input that has ended answers nothing. */
function endOf(asking: { once(event: 'close', listener: () => void): unknown }): Promise<string> {
  return new Promise((resolve) => void asking.once('close', () => resolve('')));
}
