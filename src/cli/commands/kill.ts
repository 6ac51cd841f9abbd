import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  flags: { signal: { kind: 'text', short: 's', help: 'Signal to send to the container', preset: 'KILL' } },
  args: [1, ANY],
  run(context, { signal }, names) {
    return eachName(context, names, async (container) => {
      await context.ask('kill', { container, signal });
      return undefined;
    });
  },
});
