/** How `ps`, `images` and `volume ls` print their rows: as a table, as JSON, or by a template of the user's. */
import { alignColumns } from './table.ts';
import { compileTemplate } from './template/execute.ts';
import type { Value } from './template/value.ts';

/** A row by Docker's field names. */
export type Row = Readonly<Record<string, Value>>;

export interface TableLayout {
  /** The template of the table without `--format`: fields parted by tabs. */
  readonly template: string;
  /** Field -> its header. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The help of `--format` of listings. */
export const FORMAT_HELP = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`;

/** The help of `--format` of single things. */
export const OBJECT_FORMAT_HELP = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`;

/** The lines of a listing. Throws TemplateError. @param format the value of `--format` */
export function formatRows(rows: readonly Row[], layout: TableLayout, format = 'table'): string[] {
  if (format === 'json') return rows.map((row) => JSON.stringify(row));
  const isTable = /^table(\s|$)/.test(format);
  const template = isTable ? format.slice('table'.length).trim() : format;
  const print = compileTemplate(unescape(template === '' ? layout.template : template));
  // A header's template has no methods with arguments: `{{.Label "x"}}` heads its column with the argument.
  const headers = { ...layout.headers, Label: (name: Value) => name };
  const lines = [...(isTable ? [print(headers)] : []), ...rows.map((row) => print(row))];
  return isTable ? alignColumns(lines) : lines;
}

/** `\t` and `\n` as typed in a shell. */
function unescape(template: string): string {
  return template.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

/** The lines of `inspect`: all as one JSON list, or each by the template. */
export function formatObjects(objects: readonly Value[], format: string | undefined): string[] {
  if (format === undefined || format === '') return [JSON.stringify(objects, undefined, 4)];
  if (format === 'json') return [JSON.stringify(objects)];
  const print = compileTemplate(unescape(format));
  return objects.map(print);
}
