import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { saveImages, type ArchiveFormat } from '../../image/archive/save-images.ts';
import { openImageStore } from '../../image/image-store.ts';
import { resolveImage } from '../../image/queries/list-images.ts';
import { withAllTags } from '../../image/queries/local-tags.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { ANY, defineCommand } from '../command.ts';
import { openArchiveOutput } from '../image/archive-output.ts';

const formats: readonly string[] = ['docker-archive', 'oci-archive'] satisfies ArchiveFormat[];

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  flags: {
    format: { kind: 'text', preset: 'docker-archive', help: 'docker-archive, or oci-archive with digests kept' },
    output: { kind: 'text', short: 'o', help: 'Write to a file, instead of STDOUT' },
    platform: { kind: 'text', help: 'Save only the given platform', unsupported: 'an image here has one platform' },
  },
  args: [1, ANY],
  async run(context, { format, output: path }, names) {
    if (!formats.includes(format))
      throw new InvalidInput(`invalid format ${format}: it has to be ${formats.join(' or ')}`);
    const store = openImageStore(context.paths().images, { env: context.env });
    const wanted = names.flatMap((name) => withAllTags(store, name));
    for (const name of wanted) resolveImage(store, name);
    const output = openArchiveOutput(context, path);
    try {
      const archive = Readable.from(saveImages(store, wanted, format as ArchiveFormat), { objectMode: false });
      await pipeline(archive, output.stream, { end: output.isFile });
      output.commit();
    } catch (error) {
      output.discard();
      throw error;
    }
    return 0;
  },
});
