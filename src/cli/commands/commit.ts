import { commitContainer } from '../../engine/commit.ts';
import { findContainer } from '../../engine/container.ts';
import { parseReference, withDefaultTag } from '../../image/reference.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  flags: {
    author: { kind: 'text', short: 'a', help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")' },
    change: { kind: 'list', short: 'c', help: 'Apply Dockerfile instruction to the created image' },
    message: { kind: 'text', short: 'm', help: 'Commit message' },
    pause: { kind: 'boolean', short: 'p', preset: true, help: 'Pause container during commit' },
  },
  args: [1, 2],
  async run(context, { author, change, message, pause }, [name, target]) {
    const paths = context.paths();
    const container = findContainer(paths, name!);
    const reference = target === undefined ? undefined : withDefaultTag(parseReference(target));
    const isPaused = pause && container.state.status === 'running' && container.state.paused !== true;
    if (isPaused) await context.ask('pause', { container: container.config.id });
    try {
      const { id } = await commitContainer(paths, container, {
        changes: change,
        ...(reference === undefined ? {} : { reference }),
        ...(author === undefined ? {} : { author }),
        ...(message === undefined ? {} : { message }),
      });
      context.print(id);
    } finally {
      if (isPaused) await context.ask('unpause', { container: container.config.id });
    }
    return 0;
  },
});
