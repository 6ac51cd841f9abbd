/** `network prune`, which `system prune` does as well. */
import { listNetworks } from '../../engine/inspect-networks.ts';
import type { CommandContext } from '../command.ts';
import { matchesLabel, parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { messageOf, oneLine } from '../report-error.ts';
import { isCustom, type ListedNetwork } from './network-filters.ts';
import { usedNetworks } from './used-networks.ts';

/** Removes all networks of the user's making that no container has and that pass the filters. Resolves to their names. */
export async function pruneNetworks(context: CommandContext, filters: readonly string[]): Promise<string[]> {
  const passes = parseFilters<ListedNetwork>(filters, {
    label: ({ network }, value) => matchesLabel(network.labels ?? {}, value),
    'label!': ({ network }, value) => !matchesLabel(network.labels ?? {}, value),
    until: ({ network }, value) => Date.parse(network.created) <= parseTimeBound(value, context.now),
  });
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
  return removed;
}
