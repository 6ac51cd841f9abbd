import { pipeline } from 'node:stream/promises';
import { exportContainer } from '../../engine/container-layer.ts';
import { findContainer } from '../../engine/container.ts';
import { defineCommand } from '../command.ts';
import { openArchiveOutput } from '../image/archive-output.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: { kind: 'text', short: 'o', help: 'Write to a file, instead of STDOUT' } },
  args: [1, 1],
  async run(context, flags, [name]) {
    const paths = context.paths();
    const container = findContainer(paths, name!);
    const output = openArchiveOutput(context, flags.output);
    try {
      const archive = await exportContainer(paths, container);
      await Promise.all([pipeline(archive.stdout, output.stream, { end: output.isFile }), archive.done]);
      output.commit();
    } catch (error) {
      output.discard();
      throw error;
    }
    return 0;
  },
});
