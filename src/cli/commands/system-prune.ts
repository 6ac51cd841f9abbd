import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { pruneContainers } from '../container/prune-containers.ts';
import { pruneImagesOf } from '../image/prune-images.ts';
import { pruneNetworks } from '../network/prune-networks.ts';
import { formatSize } from '../output/size.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused data',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Remove all unused images not just dangling ones' },
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "label=<key>=<value>")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
    volumes: { kind: 'boolean', help: 'Prune anonymous volumes', unsupported: 'yet' },
  },
  args: [0, 0],
  async run(context, { all, filter, force }) {
    const images = all ? 'all images without at least one container associated to them' : 'all dangling images';
    const what = ['all stopped containers', 'all networks not used by at least one container', images];
    const warning = `This will remove:\n${what.map((each) => `  - ${each}`).join('\n')}\n`;
    if (!force && !(await confirm(context, warning))) return 0;
    // In this order: what a container has is not unused.
    const containers = await pruneContainers(context, filter);
    const networks = await pruneNetworks(context, filter);
    const { steps, reclaimed } = await pruneImagesOf(context, all, filter);
    const deleted = steps
      .flatMap((step) => Object.entries(step))
      .map(([action, name]) => `${action.toLowerCase()}: ${name}`);
    for (const [title, names] of [
      ['Deleted Containers:', containers.removed],
      ['Deleted Networks:', networks],
      ['Deleted Images:', deleted],
    ] as const) {
      if (names.length > 0) context.printLines([title, ...names, '']);
    }
    context.print(`Total reclaimed space: ${formatSize(containers.reclaimed + reclaimed)}`);
    return 0;
  },
});
