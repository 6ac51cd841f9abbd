import { containerSizes } from '../../engine/container-sizes.ts';
import { listNetworks } from '../../engine/inspect-networks.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { containerFilters } from '../container/container-filters.ts';
import { CONTAINER_TABLE, containerRow, sizeText } from '../container/container-row.ts';
import { trueContainers } from '../container/true-records.ts';
import { parseFilters } from '../filters.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List containers',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Show all containers (default shows just running)' },
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Filter output based on conditions provided' },
    format: { kind: 'text', help: FORMAT_HELP },
    last: { kind: 'integer', short: 'n', preset: -1, help: 'Show n last created containers (includes all states)' },
    latest: { kind: 'boolean', short: 'l', help: 'Show the latest created container (includes all states)' },
    'no-trunc': { kind: 'boolean', help: "Don't truncate output" },
    quiet: { kind: 'boolean', short: 'q', help: 'Only display container IDs' },
    size: { kind: 'boolean', short: 's', help: 'Display total file sizes' },
  },
  args: [0, 0],
  async run(context, flags) {
    const passes = parseFilters(flags.filter, containerFilters(listNetworks(context.paths())));
    const last = flags.latest ? 1 : (flags.last ?? -1);
    if (last === 0) throw new InvalidInput('--last has to be 1 or more');
    const isAnyState = flags.all || last > 0 || flags.filter.some((text) => /^\s*(status|exited)=/.test(text));
    const containers = (await trueContainers(context)).filter((container) => {
      return (isAnyState || ['running', 'restarting'].includes(container.state.status)) && passes(container);
    });
    const shown = last > 0 ? containers.slice(0, last) : containers;
    const format = flags.quiet ? '{{.ID}}' : flags.format;
    // Measuring takes time: only for who sees it.
    const isSized = !flags.quiet && (flags.size || /\.Size\b/.test(format ?? ''));
    const sizes = isSized ? await containerSizes(context.paths(), shown) : undefined;
    const rows = shown.map((container) => {
      const row = containerRow(container, context.now, !flags['no-trunc']);
      const size = sizes?.get(container.config.id);
      return size === undefined ? row : { ...row, Size: sizeText(size) };
    });
    const table = flags.size
      ? { ...CONTAINER_TABLE, template: `${CONTAINER_TABLE.template}\t{{.Size}}` }
      : CONTAINER_TABLE;
    context.printLines(formatRows(rows, table, format));
    return 0;
  },
});
