import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
  flags: { force: { kind: 'boolean', short: 'f', help: 'Force the removal of one or more volumes' } },
  args: [1, ANY],
  run(context, { force }, names) {
    return eachName(context, names, async (name) => {
      await context.ask('removeVolume', { name, force });
      return undefined;
    });
  },
});
