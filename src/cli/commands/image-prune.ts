import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { pruneImagesOf } from '../image/prune-images.ts';
import { formatSize } from '../output/size.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Remove all unused images, not just dangling ones' },
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "until=<timestamp>")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
  },
  args: [0, 0],
  async run(context, { all, filter, force }) {
    const what = all ? 'all images without at least one container associated to them' : 'all dangling images';
    if (!force && !(await confirm(context, `This will remove ${what}.`))) return 0;
    const { steps, reclaimed } = await pruneImagesOf(context, all, filter);
    if (steps.length > 0) {
      const lines = steps
        .flatMap((step) => Object.entries(step))
        .map(([action, name]) => `${action.toLowerCase()}: ${name}`);
      context.printLines(['Deleted Images:', ...lines, '']);
    }
    context.print(`Total reclaimed space: ${formatSize(reclaimed)}`);
    return 0;
  },
});
