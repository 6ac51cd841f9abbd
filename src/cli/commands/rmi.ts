import { openImageStore } from '../../image/image-store.ts';
import { resolveImage } from '../../image/queries/list-images.ts';
import { removeImage } from '../../image/queries/remove-image.ts';
import { ANY, defineCommand } from '../command.ts';
import { imageUsers } from '../image/image-users.ts';
import { messageOf, oneLine } from '../report-error.ts';

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  flags: {
    force: { kind: 'boolean', short: 'f', help: 'Force removal of the image' },
    'no-prune': { kind: 'boolean', help: 'Do not delete untagged parents', unsupported: 'images have no parents' },
    platform: { kind: 'list', help: 'Remove only the given platform variant', unsupported: 'yet' },
  },
  args: [1, ANY],
  async run(context, { force }, names) {
    const paths = context.paths();
    const store = openImageStore(paths.images);
    let status = 0;
    // One after the other: two names may be the same image's.
    for (const name of names) {
      try {
        const { manifestDigest } = resolveImage(store, name);
        const steps = await removeImage(store, name, { force, users: imageUsers(paths) });
        for (const [action, what] of steps.flatMap(Object.entries)) context.print(`${action}: ${String(what)}`);
        if (steps.some((step) => 'Deleted' in step)) await context.ask('forgetImage', { manifest: manifestDigest });
      } catch (error) {
        context.complain(oneLine(messageOf(error)));
        status = 1;
      }
    }
    return status;
  },
});
