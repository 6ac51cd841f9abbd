import { openImageStore } from '../../image/image-store.ts';
import { listOwnImages, resolveImage } from '../../image/queries/list-images.ts';
import { verifyImages } from '../../image/queries/verify-images.ts';
import type { StoredImage } from '../../image/queries/stored-images.ts';
import { ANY, defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '[OPTIONS] [IMAGE...]',
  summary: 'Compare images with their digests, and mend what is damaged',
  details: 'Without an image, all are verified. What is damaged is made again from the blobs, or pulled again.',
  flags: {
    'dry-run': { kind: 'boolean', help: 'Say what is damaged, and leave it' },
    quiet: { kind: 'boolean', short: 'q', help: 'Only print what is damaged' },
  },
  args: [0, ANY],
  async run(context, { 'dry-run': isDry, quiet }, names) {
    const store = openImageStore(context.paths().images, { env: context.env });
    let status = 0;
    const images =
      names.length > 0
        ? names.map((name) => resolveImage(store, name))
        : listOwnImages(store, (error) => {
            context.complain(error.message);
            status = 1;
          });
    for await (const { image, problems, isWhole } of verifyImages(store, images, isDry)) {
      const name = shownAs(image);
      context.printLines(problems.map((problem) => `${name}: ${problem}`));
      if (!isWhole) status = 1;
      if (quiet && problems.length === 0) continue;
      if (!image.isLazy) context.print(`${name}: ${!isWhole ? 'damaged' : problems.length > 0 ? 'mended' : 'ok'}`);
    }
    return status;
  },
});

function shownAs({ id, repoTags }: StoredImage): string {
  return repoTags[0] ?? id.slice('sha256:'.length).slice(0, 12);
}
