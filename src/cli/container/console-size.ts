import type { ConsoleSize } from '../../engine/requests.ts';

/** The window's size, for the container's terminal to begin with; nothing where there is no window. */
export function consoleSize(
  tty: boolean | undefined,
  stdout: { readonly isTTY?: boolean; readonly rows?: number; readonly columns?: number },
): { consoleSize?: ConsoleSize } {
  const { isTTY, rows = 0, columns = 0 } = stdout;
  if (tty !== true || isTTY !== true || rows === 0 || columns === 0) return {};
  return { consoleSize: { height: rows, width: columns } };
}
