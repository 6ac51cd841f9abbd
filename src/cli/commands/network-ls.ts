import { listNetworks } from '../../engine/inspect-networks.ts';
import { defineCommand } from '../command.ts';
import { parseFilters } from '../filters.ts';
import { NETWORK_FILTERS } from '../network/network-filters.ts';
import { NETWORK_TABLE, networkRow } from '../network/network-row.ts';
import { usedNetworks } from '../network/used-networks.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List networks',
  flags: {
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Provide filter values (e.g. "driver=bridge")' },
    format: { kind: 'text', help: FORMAT_HELP },
    'no-trunc': { kind: 'boolean', help: 'Do not truncate the output' },
    quiet: { kind: 'boolean', short: 'q', help: 'Only display network IDs' },
  },
  args: [0, 0],
  run(context, { filter, format, quiet, 'no-trunc': full }) {
    const passes = parseFilters(filter, NETWORK_FILTERS);
    const paths = context.paths();
    const used = usedNetworks(paths);
    const networks = listNetworks(paths).filter((network) => passes({ network, isUsed: used.has(network.name) }));
    const rows = networks.map((network) => networkRow(network, !full));
    context.printLines(formatRows(rows, NETWORK_TABLE, quiet ? '{{.ID}}' : format));
    return Promise.resolve(0);
  },
});
