import { writeSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';

/** Writes to stdout at once, past Node's stream: that would make it non-blocking for whoever shares it. */
export function print(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      // A caller's non-blocking pipe that is full for now.
      if (errorCode(error) !== 'EAGAIN') throw error;
    }
  }
}

/** A table in columns, as runc's. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  for (const row of rows) {
    print(row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(Math.max(widths[i] ?? 0, 8) + 3))).join(''));
  }
}
