import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  flags: { force: { kind: 'boolean', short: 'f', help: 'Force the container to disconnect from a network' } },
  args: [2, 2],
  async run(context, { force }, [network, container]) {
    await context.ask('disconnectNetwork', { network: network!, container: container!, force });
    return 0;
  },
});
