import { basename } from 'node:path';
import { loadImages } from '../../image/archive/load-images.ts';
import { openImageStore } from '../../image/image-store.ts';
import { defineCommand } from '../command.ts';
import { openArchiveInput, standardInput } from '../image/archive-input.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  flags: {
    input: { kind: 'text', short: 'i', help: 'Read from tar archive file, instead of STDIN' },
    platform: { kind: 'text', help: 'Of an archive with several platforms: the one to load' },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress the load output' },
  },
  args: [0, 0],
  async run(context, { input, platform, quiet }) {
    const source = input === undefined ? standardInput(context) : await openArchiveInput(context, input);
    const shownAs = input === undefined || input === '-' ? 'standard input' : basename(input);
    const store = openImageStore(context.paths().images, { env: context.env });
    const loaded = await loadImages(store, source, shownAs, platform === undefined ? {} : { platform });
    if (quiet) return 0;
    for (const { id, names } of loaded) {
      if (names.length === 0) context.print(`Loaded image ID: ${id}`);
      for (const name of names) context.print(`Loaded image: ${name}`);
    }
    return 0;
  },
});
