import { type Flag, flagTitle, type FlagTable } from './flag.ts';

/** The `Options:` of a help text, a line for each flag, in columns, wrapped at `width` as pflag wraps. */
export function flagHelp(table: FlagTable, width: number): string {
  const shown = Object.entries(table)
    .filter(([, flag]) => flag.hidden === undefined && flag.unsupported === undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => [leftColumn(name, flag), flag.help + presetText(flag)] as const);
  const indent = Math.max(...shown.map(([left]) => left.length)) + 3;
  const lines = shown.map(([left, help]) => {
    const [first = '', ...more] = wrap(help, Math.max(width - indent, 24));
    return [left.padEnd(indent) + first, ...more.map((line) => ' '.repeat(indent) + line)].join('\n');
  });
  return lines.join('\n');
}

function leftColumn(name: string, flag: Flag): string {
  const title = flag.short === undefined ? `    ${flagTitle(name, flag)}` : flagTitle(name, flag);
  return `  ${title}${typeText(flag)}`;
}

function typeText(flag: Flag): string {
  switch (flag.kind) {
    case 'boolean':
      return '';
    case 'integer':
      return ' int';
    case 'list':
      return ` ${flag.type ?? 'list'}`;
    case 'text':
      return ` ${flag.type ?? 'string'}`;
  }
}

function presetText(flag: Flag): string {
  if (flag.kind === 'list' || flag.preset === undefined || flag.preset === false) return '';
  return ` (default ${flag.kind === 'text' ? `"${flag.preset}"` : String(flag.preset)})`;
}

/** Breaks at blanks; a line break in the text stays one. */
function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(/(?<=\S) (?=\S)/)) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
