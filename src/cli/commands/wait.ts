import { AgentGone } from '../../agent/client.ts';
import type { WaitCondition } from '../../engine/stop.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';
import { badValue } from '../flags/parse-flags.ts';
import type { Flag } from '../flags/flag.ts';

const flags = {
  condition: {
    kind: 'text',
    preset: 'not-running',
    help: 'Condition to wait for: "not-running", "next-exit" or "removed"',
  },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags,
  args: [1, ANY],
  run(context, { condition }, names) {
    if (condition !== 'not-running' && condition !== 'next-exit' && condition !== 'removed') {
      throw badValue(
        'condition',
        flags.condition,
        condition,
        'it must be one of "not-running", "next-exit" or "removed"',
      );
    }
    return eachName(context, names, (name) => exitCode(context, name, condition));
  },
});

/** Waiting is done by asking: when the agent is killed meanwhile, its successor is asked. */
async function exitCode(context: CommandContext, container: string, condition: WaitCondition): Promise<string> {
  for (;;) {
    try {
      return String(
        (await context.ask('wait', { container, ...(condition === 'not-running' ? {} : { condition }) })).exitCode,
      );
    } catch (error) {
      if (!(error instanceof AgentGone)) throw error;
    }
  }
}
