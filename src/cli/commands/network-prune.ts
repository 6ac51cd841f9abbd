import { listNetworks } from '../../engine/inspect-networks.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { matchesLabel, parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { isCustom, type ListedNetwork } from '../network/network-filters.ts';
import { usedNetworks } from '../network/used-networks.ts';
import { messageOf, oneLine } from '../report-error.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: {
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "until=TIMESTAMP")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
  },
  args: [0, 0],
  async run(context, { filter, force }) {
    const passes = parseFilters<ListedNetwork>(filter, {
      label: ({ network }, value) => matchesLabel(network.labels ?? {}, value),
      'label!': ({ network }, value) => !matchesLabel(network.labels ?? {}, value),
      until: ({ network }, value) => Date.parse(network.created) <= parseTimeBound(value, context.now),
    });
    const warning = 'This will remove all custom networks not used by at least one container.';
    if (!force && !(await confirm(context, warning))) return 0;
    const paths = context.paths();
    const used = usedNetworks(paths);
    const removed: string[] = [];
    for (const network of listNetworks(paths)) {
      const isUsed = used.has(network.name);
      if (!isCustom(network) || isUsed || !passes({ network, isUsed })) continue;
      try {
        await context.ask('removeNetwork', { name: network.name, force: true });
        removed.push(network.name);
      } catch (error) {
        context.complain(oneLine(messageOf(error)));
      }
    }
    if (removed.length > 0) context.printLines(['Deleted Networks:', ...removed, '']);
    return 0;
  },
});
