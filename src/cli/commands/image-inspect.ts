import { openImageStore } from '../../image/image-store.ts';
import { inspectImage } from '../../image/queries/inspect-image.ts';
import { ANY, defineCommand } from '../command.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: {
    format: INSPECT_FORMAT,
    platform: { kind: 'text', help: 'Inspect a specific platform of the multi-platform image', unsupported: 'yet' },
  },
  args: [1, ANY],
  run(context, { format }, names) {
    const store = openImageStore(context.paths().images);
    return inspectEach(context, names, format, (name) => inspectImage(store, name));
  },
});
