import { findContainer } from '../../engine/container.ts';
import { listProcesses } from '../../engine/processes.ts';
import { ANY, defineCommand } from '../command.ts';
import { alignColumns } from '../output/table.ts';

export const command = defineCommand({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  flags: {},
  args: [1, ANY],
  interspersed: false,
  async run(context, _flags, [name, ...options]) {
    const rows = await listProcesses(findContainer(context.paths(), name!), options);
    context.printLines(alignColumns(rows.map((row) => row.join('\t'))));
    return 0;
  },
});
