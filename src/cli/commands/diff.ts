import { containerChanges } from '../../engine/container-layer.ts';
import { findContainer } from '../../engine/container.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: {},
  args: [1, 1],
  async run(context, _flags, [name]) {
    const paths = context.paths();
    const changes = await containerChanges(paths, findContainer(paths, name!));
    for (const { kind, path } of changes) {
      context.stdout.write(Buffer.concat([Buffer.from(`${kind} `), path, Buffer.from('\n')]));
    }
    return 0;
  },
});
