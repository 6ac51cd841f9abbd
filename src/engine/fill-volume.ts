/** A new volume begins with what the image has at its mount point, owners included, as Docker's do. */
import { mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import type { Holder } from '../holder/holder.ts';
import { runInside, type InsideRoot } from '../inside/run-inside.ts';
import type { FileStat } from '../inside/task.ts';
import type { StatePaths } from '../state/paths.ts';
import { ensureLower } from '../storage/plain-copy.ts';
import { removeTrees } from '../storage/remove-tree.ts';
import type { Lower } from '../storage/writable-layer.ts';
import { volumeData } from './volumes.ts';

/** What a filling is made in, beside the volume's content: killed, it leaves the volume empty, to be filled next time. */
const DRAFT = '_filling';

/** Copies the folder `target` of the image into a volume that is empty. Nothing where the image has no folder there. */
export async function fillVolume(
  paths: StatePaths,
  holder: Holder,
  lower: Lower,
  target: string,
  volume: string,
): Promise<void> {
  const data = volumeData(paths, volume);
  if (!isEmpty(data)) return;
  const image: InsideRoot = { kind: 'folder', path: await ensureLower(paths, holder, lower) };
  const asked = await runInside(holder, image, { operation: 'stat', path: target });
  asked.stdin.end();
  const [answer] = await Promise.all([text(asked.stdout), asked.done]);
  if ((JSON.parse(answer) as FileStat | null)?.targetKind !== 'folder') return;

  const draft = join(dirname(data), DRAFT);
  await removeTrees(holder, [draft]);
  mkdirSync(draft, { mode: 0o755 });
  const packed = await runInside(holder, image, { operation: 'pack', path: target, name: '_data', follow: true });
  packed.stdin.end();
  const folder: InsideRoot = { kind: 'folder', path: draft };
  const unpacked = await runInside(holder, folder, { operation: 'unpack', folder: '/', keepOwner: true });
  await Promise.all([pipeline(packed.stdout, unpacked.stdin), packed.done, unpacked.done]);
  // rename(2) takes an empty folder's place.
  renameSync(join(draft, '_data'), data);
  rmdirSync(draft);
}

/** A folder that may not be looked into is another id's, and so not new. */
function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    return false;
  }
}
