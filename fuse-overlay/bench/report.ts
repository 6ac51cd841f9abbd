/** The bench's table: medians of wall and CPU seconds, ratios to the peers, and what they are meant to be at most. */
import type { Row } from './rows.ts';

export interface Sample {
  wall: number;
  /** CPU seconds of client and server. */
  client: number;
  server: number;
}

/** By row, then by column. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly Sample[]>>;

interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly limit: (row: Row) => number | undefined;
}

const isSequential = /^(read|write) (large|written)/;

const ratios: readonly Ratio[] = [
  { of: 'FUSE writable', to: 'fuse-overlayfs', limit: ({ kind }) => (kind === 'metadata' ? 0.7 : 0.9) },
  { of: 'kernel writable', to: 'fuse-overlayfs', limit: ({ name }) => (isSequential.test(name) ? 0.9 : 0.5) },
  { of: 'kernel writable', to: 'kernel overlay', limit: ({ name }) => (/fresh|cold/.test(name) ? 2 : 1.2) },
];

/** Markdown; in parentheses the same of CPU seconds. A ratio above what it is meant to be is bold. */
export function table(rows: readonly Row[], columns: readonly string[], samples: Samples): string {
  const shown = ratios.filter(({ of, to }) => columns.includes(of) && columns.includes(to));
  const header = ['row', ...columns, ...shown.map(({ of, to }) => `${of} / ${to}`)];
  const lines = rows.map((row) => {
    const cells = samples.get(row.name);
    return [
      row.name,
      ...columns.map((column) => cell(cells?.get(column))),
      ...shown.map((ratio) => ratioCell(ratio, row, cells)),
    ];
  });
  return [header, header.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |\n`).join('');
}

function cell(samples: readonly Sample[] | undefined): string {
  return samples === undefined ? '-' : `${wallOf(samples).toFixed(3)} (${cpuOf(samples).toFixed(2)})`;
}

function ratioCell(
  { of, to, limit }: Ratio,
  row: Row,
  cells: ReadonlyMap<string, readonly Sample[]> | undefined,
): string {
  const [ours, theirs] = [cells?.get(of), cells?.get(to)];
  if (!ours || !theirs) return '-';
  const value = wallOf(ours) / wallOf(theirs);
  const most = limit(row);
  const text = value.toFixed(2);
  return `${most !== undefined && value > most ? `**${text}**` : text} (${(cpuOf(ours) / cpuOf(theirs)).toFixed(2)})`;
}

function wallOf(samples: readonly Sample[]): number {
  return median(samples.map(({ wall }) => wall));
}

function cpuOf(samples: readonly Sample[]): number {
  return median(samples.map(({ client, server }) => client + server));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
