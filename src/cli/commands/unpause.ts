import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Unpause all processes within one or more containers',
  flags: {},
  args: [1, ANY],
  run(context, _flags, names) {
    return eachName(context, names, async (container) => {
      await context.ask('unpause', { container });
      return undefined;
    });
  },
});
