import { openImageStore } from '../../image/image-store.ts';
import { tagImage } from '../../image/queries/tag-image.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  args: [2, 2],
  async run(context, _flags, [source, target]) {
    await tagImage(openImageStore(context.paths().images), source!, target!);
    return 0;
  },
});
