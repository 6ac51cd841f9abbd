import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../../engine/container.ts';
import { type ContainerStats, readContainerStats } from '../../engine/container-stats.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { STATS_TABLE, statsRow } from '../container/stats-row.ts';
import { trueContainer, trueContainers } from '../container/true-records.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';

/** Milliseconds between two looks: rates are those of the time between. */
const INTERVAL = 1000;
const FIRST_INTERVAL = 500;

export const command = defineCommand({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Display a live stream of container(s) resource usage statistics',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Show all containers (default shows just running)' },
    format: { kind: 'text', help: FORMAT_HELP },
    'no-stream': { kind: 'boolean', help: 'Disable streaming stats and only pull the first result' },
    'no-trunc': { kind: 'boolean', help: 'Do not truncate output' },
  },
  args: [0, ANY],
  async run(context, { all, format, 'no-stream': noStream, 'no-trunc': noTrunc }, names) {
    const isScreen = !noStream && context.stdout.isTTY && (format === undefined || format.startsWith('table'));
    let before = new Map<string, ContainerStats>();
    for (let isFirst = true; ; isFirst = false) {
      const containers = await chooseContainers(context, names, all);
      const now = new Map(containers.flatMap(sample));
      if (!isFirst) {
        const rows = containers.map((each) => {
          const { id } = each.config;
          return statsRow(each, before.get(id), now.get(id), !noTrunc);
        });
        print(context, formatRows(rows, STATS_TABLE, format), isScreen);
        if (noStream) return 0;
      }
      before = now;
      await sleep(isFirst ? FIRST_INTERVAL : INTERVAL);
    }
  },
});

function sample(container: Container): [string, ContainerStats][] {
  const stats = readContainerStats(container);
  return stats === undefined ? [] : [[container.config.id, stats]];
}

async function chooseContainers(context: CommandContext, names: readonly string[], all: boolean): Promise<Container[]> {
  if (names.length > 0) return Promise.all(names.map((name) => trueContainer(context, name)));
  return (await trueContainers(context)).filter(({ state }) => all || state.status === 'running');
}

/** On a terminal each look goes over the last: home, every line to its end, and nothing below. */
function print(context: CommandContext, lines: readonly string[], isScreen: boolean): void {
  if (!isScreen) context.printLines(lines);
  else context.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
}
