import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { pruneContainers } from '../container/prune-containers.ts';
import { formatSize } from '../output/size.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  flags: {
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "until=<timestamp>")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
  },
  args: [0, 0],
  async run(context, { filter, force }) {
    if (!force && !(await confirm(context, 'This will remove all stopped containers.'))) return 0;
    const { removed, reclaimed } = await pruneContainers(context, filter);
    if (removed.length > 0) context.printLines(['Deleted Containers:', ...removed, '']);
    context.print(`Total reclaimed space: ${formatSize(reclaimed)}`);
    return 0;
  },
});
