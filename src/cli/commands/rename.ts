import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: {},
  args: [2, 2],
  async run(context, _flags, [container, name]) {
    await context.ask('rename', { container: container!, name: name! });
    return 0;
  },
});
