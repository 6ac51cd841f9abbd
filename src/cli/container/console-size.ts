import type { ConsoleSize } from '../../engine/requests.ts';

/**
 * The window's size, for the container's terminal to begin with; nothing where there is no window. Without a terminal to
 * be sized, standard output is not opened for it: that can be done while the agent works.
 */
export function consoleSize(
  tty: boolean | undefined,
  context: { readonly stdout: { readonly isTTY?: boolean; readonly rows?: number; readonly columns?: number } },
): { consoleSize?: ConsoleSize } {
  if (tty !== true) return {};
  const { isTTY, rows = 0, columns = 0 } = context.stdout;
  return isTTY !== true || rows === 0 || columns === 0 ? {} : { consoleSize: { height: rows, width: columns } };
}
