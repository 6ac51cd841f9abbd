import { setTimeout as sleep } from 'node:timers/promises';
import { findContainer, listContainers } from '../../engine/container.ts';
import type { NetworkFlows } from '../../engine/requests.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { counterLine, FLOW_TABLE, flowRow } from '../network/flow-row.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';

/** Milliseconds between two looks. */
const INTERVAL = 1000;

export const command = defineCommand({
  usage: '[OPTIONS] [CONTAINER]',
  summary: 'Show the connections and counters of networks',
  details:
    'Connections with the outside and by published ports: those between containers of one network pass no process.',
  flags: {
    format: { kind: 'text', help: FORMAT_HELP },
    network: { kind: 'text', help: 'Show one network alone' },
    'no-stream': { kind: 'boolean', help: 'Print once and end' },
  },
  args: [0, 1],
  async run(context, { format, network, 'no-stream': noStream }, [container]) {
    const wanted = container === undefined ? undefined : findContainer(context.paths(), container).config.id;
    for (;;) {
      const { networks } = await context.ask('networkFlows', {});
      const shown = networks.filter((each) => network === undefined || each.network === network);
      const lines = describe(context, shown, wanted, format);
      if (noStream || !context.stdout.isTTY) context.printLines(lines);
      else context.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
      if (noStream) return 0;
      await sleep(INTERVAL);
    }
  },
});

/** @param wanted id of the one container to show */
function describe(
  context: CommandContext,
  networks: readonly NetworkFlows[],
  wanted: string | undefined,
  format: string | undefined,
): string[] {
  const names = new Map(listContainers(context.paths()).map(({ config }) => [config.id, config.name]));
  const rows = networks.flatMap(({ network, flows }) =>
    flows
      .filter((flow) => wanted === undefined || flow.container === wanted)
      .map((flow) => flowRow(network, flow, names.get(flow.container) ?? flow.container.slice(0, 12))),
  );
  return [...(format === undefined ? networks.map(counterLine) : []), ...formatRows(rows, FLOW_TABLE, format)];
}
