import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '',
  summary: 'Start the containers whose restart policy wants them to run',
  details: 'For the start of the machine, or a first login: see "trun system enable-boot".',
  flags: {},
  args: [0, 0],
  async run(context) {
    const { started, failed } = await context.ask('boot', {});
    context.printLines(started);
    for (const { name, message } of failed) context.complain(`${name}: ${message}`);
    return failed.length > 0 ? 1 : 0;
  },
});
