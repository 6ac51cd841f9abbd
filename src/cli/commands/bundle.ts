import { resolve } from 'node:path';
import { writeBundle } from '../../engine/write-bundle.ts';
import { ANY, defineCommand } from '../command.ts';
import { withImage } from '../container/with-image.ts';

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE DIR [COMMAND] [ARG...]',
  summary: 'Write an image as an OCI bundle: a root file system and config.json',
  flags: {
    tty: { kind: 'boolean', short: 't', help: 'Let the bundle ask for a pseudo-TTY' },
    platform: { kind: 'text', help: 'Set platform if server is multi-platform capable' },
    pull: { kind: 'text', preset: 'missing', help: 'Pull image before writing ("always", "missing", "never")' },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress the pull output' },
  },
  args: [2, ANY],
  interspersed: false,
  async run(context, flags, [image, folder, ...words]) {
    const request = { image: image!, folder: resolve(context.cwd, folder!), command: words, tty: flags.tty };
    const { leftOut } = await withImage(context, { ...flags, image: image! }, () =>
      Promise.resolve(writeBundle(context.paths(), request)),
    );
    if (leftOut > 0) context.complain(`${leftOut} device nodes and sockets of the image are not in the bundle`);
    return 0;
  },
});
