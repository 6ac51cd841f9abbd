import { openImageStore } from '../../image/image-store.ts';
import { imageHistory } from '../../image/queries/image-history.ts';
import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { FORMAT_HELP, formatRows, type TableLayout } from '../output/row-format.ts';
import { formatSize } from '../output/size.ts';

const table: TableLayout = {
  template: '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}',
  headers: {
    ID: 'IMAGE',
    CreatedAt: 'CREATED AT',
    CreatedSince: 'CREATED',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
    Tags: 'TAGS',
  },
};

/** Characters of a step in the table. */
const STEP_WIDTH = 45;

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  flags: {
    format: { kind: 'text', help: FORMAT_HELP },
    human: { kind: 'boolean', short: 'H', preset: true, help: 'Print sizes and dates in human readable format' },
    'no-trunc': { kind: 'boolean', help: "Don't truncate output" },
    platform: {
      kind: 'text',
      help: 'Show history for the given platform',
      unsupported: 'an image here has one platform',
    },
    quiet: { kind: 'boolean', short: 'q', help: 'Only show image IDs' },
  },
  args: [1, 1],
  run(context, { format, human, 'no-trunc': whole, quiet }, [name]) {
    const store = openImageStore(context.paths().images);
    const rows = imageHistory(store, name!).map(({ id, created, createdBy, size, comment, tags }) => {
      const at = created === undefined ? 'N/A' : new Date(created).toISOString().replace(/\.\d+Z$/, 'Z');
      return {
        ID: id === undefined ? '<missing>' : whole ? id : id.slice('sha256:'.length).slice(0, 12),
        CreatedAt: at,
        CreatedSince: created === undefined ? 'N/A' : human ? formatAge(created, context.now) : at,
        CreatedBy: whole ? createdBy : shorten(createdBy),
        Size: human ? formatSize(size) : String(size),
        Comment: comment,
        Tags: tags.join(', '),
      };
    });
    context.printLines(formatRows(rows, table, quiet ? '{{.ID}}' : format));
    return Promise.resolve(0);
  },
});

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > STEP_WIDTH ? `${line.slice(0, STEP_WIDTH - 1)}…` : line;
}
