import { openImageStore } from '../../image/image-store.ts';
import { searchRegistry, type SearchResult } from '../../image/registry/search.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { filterBoolean, parseFilters } from '../filters.ts';
import { FORMAT_HELP, formatRows, type TableLayout } from '../output/row-format.ts';

const table: TableLayout = {
  template: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
  headers: { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL' },
};

/** Characters of a description in the table. */
const DESCRIPTION_WIDTH = 45;

export const command = defineCommand({
  usage: '[OPTIONS] TERM',
  summary: 'Search a registry for images',
  details: 'TERM may begin with the registry to search: localhost:5000/debian. Otherwise that is Docker Hub.',
  flags: {
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Filter output based on conditions provided' },
    format: { kind: 'text', help: FORMAT_HELP },
    limit: { kind: 'integer', preset: 25, help: 'Max number of search results' },
    'no-trunc': { kind: 'boolean', help: "Don't truncate output" },
  },
  args: [1, 1],
  async run(context, { filter, format, limit = 25, 'no-trunc': whole }, [word]) {
    if (limit < 1 || limit > 100) throw new InvalidInput(`limit ${limit} is outside the range of [1, 100]`);
    const { domain, term } = splitTerm(word!);
    const store = openImageStore(context.paths().images, { env: context.env });
    const passes = parseFilters(filter, {
      'is-official': ({ isOfficial }: SearchResult, value) => isOfficial === filterBoolean('is-official', value),
      stars: ({ stars }, value) => stars >= starCount(value),
    });
    const found = (await searchRegistry(store, domain, term, limit)).filter(passes);
    const rows = found.map(({ name, description, stars, isOfficial }) => ({
      Name: name,
      Description: whole ? description : shorten(description),
      StarCount: String(stars),
      IsOfficial: isOfficial ? '[OK]' : '',
    }));
    context.printLines(formatRows(rows, table, format));
    return 0;
  },
});

function splitTerm(word: string): { domain: string; term: string } {
  const slash = word.indexOf('/');
  const first = word.slice(0, Math.max(slash, 0));
  const isDomain = /[.:]/.test(first) || first === 'localhost';
  return isDomain ? { domain: first, term: word.slice(slash + 1) } : { domain: 'docker.io', term: word };
}

function starCount(value: string): number {
  if (/^[0-9]+$/.test(value)) return Number(value);
  throw new InvalidInput(`invalid filter 'stars=${value}'`);
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > DESCRIPTION_WIDTH ? `${line.slice(0, DESCRIPTION_WIDTH - 1)}…` : line;
}
