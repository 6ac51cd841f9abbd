import { text } from 'node:stream/consumers';
import type { Holder } from '../holder/holder.ts';
import { startInside } from '../inside/start-inside.ts';
import type { LayerTask } from './layer-process/task.ts';

/** Bytes of all files below each of the folders, whoever of the user's ids they belong to; hard links count once. */
export async function measureFolders(holder: Holder, folders: readonly string[]): Promise<number[]> {
  if (folders.length === 0) return [];
  const task: LayerTask = { operation: 'measure', folders };
  const { stdin, stdout, done } = await startInside(holder, 'layer', JSON.stringify(task));
  stdin.end();
  const [printed] = await Promise.all([text(stdout), done]);
  return JSON.parse(printed) as number[];
}
