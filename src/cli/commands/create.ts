import { ANY, defineCommand } from '../command.ts';
import { claimCidFile } from '../container/cid-file.ts';
import { CONTAINER_FLAGS } from '../container/container-flags.ts';
import { containerRequest } from '../container/container-request.ts';
import { chooseStreams } from '../container/foreground.ts';
import { withImage } from '../container/with-image.ts';

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  flags: CONTAINER_FLAGS,
  args: [0, ANY],
  interspersed: false,
  async run(context, flags, args) {
    chooseStreams(flags.attach, flags.interactive);
    const request = containerRequest(flags, args, context);
    const { pull, platform, quiet, lazy } = flags;
    using cidFile = claimCidFile(flags.cidfile, context.cwd);
    const { id, warnings } = await withImage(context, { image: request.image, pull, platform, quiet, lazy }, () =>
      context.ask('create', { request }),
    );
    for (const warning of warnings) context.complain(`WARNING: ${warning}`);
    cidFile?.write(id);
    context.print(id);
    return 0;
  },
});
