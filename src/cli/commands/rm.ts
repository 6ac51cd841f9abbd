import { EngineError } from '../../engine/engine-error.ts';
import { ANY, defineCommand } from '../command.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  flags: {
    force: { kind: 'boolean', short: 'f', help: 'Force the removal of a running container (uses SIGKILL)' },
    link: { kind: 'boolean', short: 'l', help: 'Remove the specified link', unsupported: 'yet' },
    volumes: { kind: 'boolean', short: 'v', help: 'Remove anonymous volumes associated with the container' },
  },
  args: [1, ANY],
  run(context, { force, volumes }, names) {
    async function remove(container: string): Promise<undefined> {
      await context.ask('remove', { container, force, volumes });
    }
    // With -f, what is not there is told and no failure, as in Docker.
    return eachName(context, names, remove, (error) => {
      return force && error instanceof EngineError && error.code === 'NOT_FOUND';
    });
  },
});
