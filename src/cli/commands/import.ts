import { basename } from 'node:path';
import { openImageStore } from '../../image/image-store.ts';
import { importImage } from '../../image/import-image.ts';
import { parseReference, withDefaultTag } from '../../image/reference.ts';
import { defineCommand } from '../command.ts';
import { openArchiveInput } from '../image/archive-input.ts';

export const command = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  flags: {
    change: { kind: 'list', short: 'c', help: 'Apply Dockerfile instruction to the created image' },
    message: { kind: 'text', short: 'm', help: 'Set commit message for imported image' },
    platform: { kind: 'text', help: 'Set platform of the image: os[/architecture[/variant]]' },
  },
  args: [1, 2],
  async run(context, { change, message, platform }, [source, name]) {
    const reference = name === undefined ? undefined : withDefaultTag(parseReference(name));
    const store = openImageStore(context.paths().images, { env: context.env });
    const archive = await openArchiveInput(context, source!);
    const { id } = await importImage(store, archive, source === '-' ? 'standard input' : basename(source!), {
      changes: change,
      ...(reference === undefined ? {} : { reference }),
      ...(message === undefined ? {} : { message }),
      ...(platform === undefined ? {} : { platform }),
    });
    context.print(id);
    return 0;
  },
});
