import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';
import { stopFlags, stopRequest } from '../container/stop-flags.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  flags: stopFlags,
  args: [1, ANY],
  run(context, flags, names) {
    return eachName(context, names, async (container) => {
      await context.ask('stop', { container, ...stopRequest(flags) });
      return undefined;
    });
  },
});
