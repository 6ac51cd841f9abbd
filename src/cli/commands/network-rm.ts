import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: 'NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  flags: { force: { kind: 'boolean', short: 'f', help: 'Do not error if the network does not exist' } },
  args: [1, ANY],
  run(context, { force }, names) {
    return eachName(context, names, async (name) => {
      await context.ask('removeNetwork', { name, force });
      return undefined;
    });
  },
});
