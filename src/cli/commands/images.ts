import { openImageStore } from '../../image/image-store.ts';
import { listImages } from '../../image/queries/list-images.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { type ListedImage, imageFilters, matchesName } from '../image/image-filters.ts';
import { imageNames, imageRow, imageTable } from '../image/image-row.ts';
import { imageTree } from '../image/image-tree.ts';
import { imageUsers } from '../image/image-users.ts';
import { parseFilters } from '../filters.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';

export const command = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Show all images (there are no intermediate ones to hide)' },
    digests: { kind: 'boolean', help: 'Show digests' },
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Filter output based on conditions provided' },
    format: { kind: 'text', help: FORMAT_HELP },
    'no-trunc': { kind: 'boolean', help: "Don't truncate output" },
    quiet: { kind: 'boolean', short: 'q', help: 'Only show image IDs' },
    tree: { kind: 'boolean', help: 'List images with their platforms and layers as a tree' },
  },
  args: [0, 1],
  run(context, flags, [pattern]) {
    const store = openImageStore(context.paths().images);
    const images = listImages(store, (error) => context.complain(error.message));
    const passes = parseFilters(flags.filter, imageFilters(images));
    const listed: ListedImage[] = images.flatMap((image) => imageNames(image).map((name) => ({ image, name })));
    const shown = listed.filter((each) => passes(each) && (pattern === undefined || matchesName(each.name, pattern)));
    if (flags.tree) {
      if (flags.quiet || flags.format !== undefined)
        throw new InvalidInput('--tree cannot be combined with -q or --format');
      context.printLines(imageTree(store, shown, imageUsers(context.paths()), !flags['no-trunc']));
      return Promise.resolve(0);
    }
    const rows = shown.map(({ image, name }) => imageRow(image, name, context.now, !flags['no-trunc']));
    const lines = formatRows(rows, imageTable(flags.digests), flags.quiet ? '{{.ID}}' : flags.format);
    context.printLines(flags.quiet ? [...new Set(lines)] : lines);
    return Promise.resolve(0);
  },
});
