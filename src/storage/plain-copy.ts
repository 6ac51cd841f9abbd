/**
 * Images as plain folders, for hosts where nobody may open /dev/fuse: the merged tree of an image is written out once, with the
 * owners that the user's ids allow, and is the lower layer of the kernel's overlay for every container of the image.
 *
 * A copy is made under a draft name and gets its own once it is on the disk, so what has a name is whole; a draft without its
 * maker goes when the next one is made. It costs the image's size, and time at the first start. It goes with the image.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Holder } from '../holder/holder.ts';
import { ensureMount, removeMount } from '../image-server/client.ts';
import { FuseMissing } from '../image-server/fuse-missing.ts';
import { startInside } from '../inside/start-inside.ts';
import { syncFolder } from '../state/atomic-file.ts';
import { takeLock } from '../state/lock.ts';
import type { StatePaths } from '../state/paths.ts';
import type { LayerTask } from './layer-process/task.ts';
import { removeTrees } from './remove-tree.ts';
import type { Lower } from './writable-layer.ts';

type Tree = Extract<Lower['content'], { kind: 'tree' }>;

/**
 * The folder that shows what lies below a writable layer: a mount of the image server's, or a plain copy where there can be
 * none, of which `warn` is told. Throws FuseMissing for the host's own files, and for a folder, which are not copied.
 */
export async function ensureLower(
  paths: StatePaths,
  holder: Holder,
  { key, content }: Lower,
  warn: (message: string) => void = () => undefined,
): Promise<string> {
  try {
    return await ensureMount(paths, holder, key, content);
  } catch (error) {
    if (!(error instanceof FuseMissing) || content.kind !== 'tree') throw error;
    const copy = await ensureCopy(paths, holder, key, content);
    warn(`${error.reason}: containers run on plain copies of their images; ${error.mend}`);
    return copy;
  }
}

/** Takes away what `ensureLower` has made for `key`. Nothing may use it: a copy, unlike a mount, is gone for its users, too. */
export async function removeLower(paths: StatePaths, findHolder: () => Promise<Holder>, key: string): Promise<void> {
  await removeMount(paths, key);
  const copies = [true, false].map((owner) => copyPath(paths, key, owner)).filter((path) => existsSync(path));
  if (copies.length === 0) return;
  using _lock = await takeLock(lockPath(paths));
  const drafts = copies.map((path) => `${path}${DRAFT}`);
  for (const [at, path] of copies.entries()) renameSync(path, drafts[at]!);
  await removeTrees(await findHolder(), drafts);
}

const DRAFT = '.draft';

function copiesFolder(paths: StatePaths): string {
  return join(paths.images, 'plain');
}

function lockPath(paths: StatePaths): string {
  return join(copiesFolder(paths), 'lock');
}

/** With a single id every file is the user's; with more, files have the image's owners. */
function copyPath(paths: StatePaths, key: string, owner: boolean): string {
  return join(copiesFolder(paths), owner ? `${key}-single` : key);
}

async function ensureCopy(paths: StatePaths, holder: Holder, key: string, content: Tree): Promise<string> {
  const path = copyPath(paths, key, content.owner);
  if (existsSync(path)) return path;
  const folder = copiesFolder(paths);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  using _lock = await takeLock(lockPath(paths));
  if (existsSync(path)) return path;
  await removeDrafts(holder, folder);
  const draft = `${path}${DRAFT}`;
  try {
    await write(holder, content, draft);
    renameSync(draft, path);
  } catch (error) {
    await removeDrafts(holder, folder);
    throw new Error(`Cannot make a plain copy of the image: ${(error as Error).message}`, { cause: error });
  }
  syncFolder(folder);
  return path;
}

/** The caller has the lock, so nobody works on one. */
async function removeDrafts(holder: Holder, folder: string): Promise<void> {
  const drafts = readdirSync(folder).filter((name) => name.endsWith(DRAFT));
  if (drafts.length > 0)
    await removeTrees(
      holder,
      drafts.map((name) => join(folder, name)),
    );
}

/** As root of the user's namespaces, who alone may give files to the user's other ids. */
async function write(holder: Holder, { index, files, owner }: Tree, target: string): Promise<void> {
  mkdirSync(target, { mode: 0o700 });
  const task: LayerTask = { operation: 'unpack', index, files, target, keepOwners: !owner };
  const { stdin, stdout, done } = await startInside(holder, 'layer', JSON.stringify(task));
  stdin.end();
  await Promise.all([text(stdout), done]);
}
