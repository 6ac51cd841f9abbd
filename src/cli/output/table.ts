/** Narrowest column and blanks between columns, Docker's (Go's text/tabwriter with 10, 1, 3). */
const LEAST = 10;
const PADDING = 3;

/** Lines of cells parted by tabs, aligned in columns; the last cell of a line is not padded. @param least width of a column */
export function alignColumns(lines: readonly string[], least = LEAST): string[] {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const cells of rows) {
    for (const [i, cell] of cells.slice(0, -1).entries()) {
      widths[i] = Math.max(widths[i] ?? least, width(cell) + PADDING);
    }
  }
  return rows.map((cells) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell + ' '.repeat(widths[i]! - width(cell))))
      .join('')
      .trimEnd(),
  );
}

/** In characters, not in UTF-16 units. */
function width(text: string): number {
  return Array.from(text).length;
}
