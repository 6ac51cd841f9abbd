import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';
import { stopFlags, stopRequest } from '../container/stop-flags.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  flags: stopFlags,
  args: [1, ANY],
  run(context, flags, names) {
    return eachName(context, names, async (container) => {
      await context.ask('restart', { container, ...stopRequest(flags) });
      return undefined;
    });
  },
});
