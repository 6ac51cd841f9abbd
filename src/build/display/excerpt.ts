/** The lines around a mistake in a Dockerfile, as BuildKit shows them. */
import type { Position } from '../dockerfile/dockerfile-error.ts';

const CONTEXT = 2;
const RULE = '-'.repeat(20);

/** `name`: as the user calls the file. Lines count from 1. */
export function excerpt(name: string, lines: readonly string[], { line, column }: Position, endLine: number): string[] {
  const first = Math.max(line - CONTEXT, 1);
  const last = Math.min(endLine + CONTEXT, lines.length);
  const shown = [];
  for (let at = first; at <= last; at++) {
    const mark = at >= line && at <= endLine ? '>>>' : '   ';
    shown.push(`${String(at).padStart(4)} | ${mark} ${lines[at - 1] ?? ''}`.trimEnd());
  }
  return [`${name}:${line}${column > 1 ? `:${column}` : ''}`, RULE, ...shown, RULE];
}
