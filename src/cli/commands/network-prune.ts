import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { pruneNetworks } from '../network/prune-networks.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: {
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "until=TIMESTAMP")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
  },
  args: [0, 0],
  async run(context, { filter, force }) {
    const warning = 'This will remove all custom networks not used by at least one container.';
    if (!force && !(await confirm(context, warning))) return 0;
    const removed = await pruneNetworks(context, filter);
    if (removed.length > 0) context.printLines(['Deleted Networks:', ...removed, '']);
    return 0;
  },
});
