import { listProcesses } from '../../engine/processes.ts';
import { ANY, defineCommand } from '../command.ts';
import { trueContainer } from '../container/true-records.ts';
import { alignColumns } from '../output/table.ts';

/** Of a column; Docker's. */
const WIDTH = 20;

export const command = defineCommand({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  flags: {},
  args: [1, ANY],
  interspersed: false,
  async run(context, _flags, [name, ...options]) {
    const rows = await listProcesses(await trueContainer(context, name!), options);
    context.printLines(
      alignColumns(
        rows.map((row) => row.join('\t')),
        WIDTH,
      ),
    );
    return 0;
  },
});
