import { AgentGone } from '../../agent/client.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags: {},
  args: [1, ANY],
  run: (context, _flags, names) => eachName(context, names, (name) => exitCode(context, name)),
});

/** Waiting is done by asking: when the agent is killed meanwhile, its successor is asked. */
async function exitCode(context: CommandContext, container: string): Promise<string> {
  for (;;) {
    try {
      return String((await context.ask('wait', { container })).exitCode);
    } catch (error) {
      if (!(error instanceof AgentGone)) throw error;
    }
  }
}
