import { inspectContainer } from '../../engine/inspect.ts';
import { ANY, defineCommand } from '../command.ts';
import { trueContainer } from '../container/true-records.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: {
    format: INSPECT_FORMAT,
    size: { kind: 'boolean', short: 's', help: 'Display total file sizes', unsupported: 'yet' },
  },
  args: [1, ANY],
  run(context, { format }, names) {
    const paths = context.paths();
    return inspectEach(context, names, format, async (name) =>
      inspectContainer(paths, await trueContainer(context, name)),
    );
  },
});
