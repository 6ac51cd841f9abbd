/** A little room that is always ours, so that on a full disk an image can be removed: even that has to write a new index. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { StoreLayout } from './layout.ts';

/** Enough for the index of some hundred images and the note of a removal. */
const RESERVE = 256 * 1024;

export function keepReserve(layout: StoreLayout): void {
  if (existsSync(layout.reserve)) return;
  try {
    writeFileSync(layout.reserve, Buffer.alloc(RESERVE), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // No room for all of it: the next one tries again. Unless another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(layout.reserve, { force: true });
  }
}

/** Runs what has to succeed on a full disk as well: a second time with the reserve given up, if need be. */
export async function withReserve<T>(layout: StoreLayout, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    rmSync(layout.reserve, { force: true });
    return await action();
  }
}
