import { pruneCache, type CacheItem } from '../../build/cache/prune.ts';
import { openImageStore } from '../../image/image-store.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { formatSize } from '../output/size.ts';
import { alignColumns } from '../output/table.ts';
import { ellipsis } from '../output/quote.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove build cache',
  flags: {
    all: { kind: 'boolean', short: 'a', help: 'Remove cache mounts as well' },
    filter: { kind: 'list', type: 'filter', help: 'Provide filter values (e.g. "until=24h")' },
    force: { kind: 'boolean', short: 'f', help: 'Do not prompt for confirmation' },
  },
  args: [0, 0],
  async run(context, { all, filter, force }) {
    const what = all ? 'all build cache, cache mounts as well' : 'all build cache but cache mounts';
    if (!force && !(await confirm(context, `This will remove ${what}.`))) return 0;
    const passes = parseFilters<CacheItem>(filter, {
      until: ({ used }, value) => used < parseTimeBound(value, context.now),
    });
    const paths = context.paths();
    const store = openImageStore(paths.images, { env: context.env });
    const removed = await pruneCache(paths, store, { all, passes });
    const rows = removed.map(({ id, kind, size, description }) =>
      [id.slice(0, 12), kind, formatSize(size), ellipsis(description, 60)].join('\t'),
    );
    if (rows.length > 0) context.printLines(alignColumns(['ID\tTYPE\tSIZE\tDESCRIPTION', ...rows]));
    context.print(`Total:\t${formatSize(removed.reduce((sum, { size }) => sum + size, 0))}`);
    return 0;
  },
});
