/**
 * `--mount=type=cache`: folders that outlive builds. `shared` is used by any number of steps at once, `locked` by one after
 * the other, `private` is another folder for each that runs at the same time.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf } from '../../image/digest.ts';
import { tryLock } from '../../state/lock.ts';
import type { RunMount } from '../dockerfile/run-mount.ts';
import { exportFolder } from '../output/export-folder.ts';
import type { BuildSession } from '../session.ts';
import { openFileTree, type FileTree } from '../source/file-tree.ts';
import { byteString } from '../source/tree-view.ts';
import { giveTo } from './give-to.ts';

export interface CacheFolder extends Disposable {
  readonly path: string;
}

type CacheMount = Extract<RunMount, { type: 'cache' }>;

export function cacheMountsFolder(builds: string): string {
  return join(builds, 'mounts');
}

/** `from`: what a new folder begins with. */
export async function openCacheFolder(
  session: BuildSession,
  mount: CacheMount,
  from: FileTree | undefined,
  onWait: () => void,
): Promise<CacheFolder> {
  const base = join(
    cacheMountsFolder(session.paths.builds),
    digestOf(JSON.stringify([mount.id, mount.from ?? ''])).slice('sha256:'.length),
  );
  for (let waited = false, number = 0; ;) {
    session.signal.throwIfAborted();
    const folder = mount.sharing === 'private' && number > 0 ? `${base}-${number}` : base;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = tryLock(join(folder, 'lock'), mount.sharing === 'shared' ? 'shared' : 'exclusive');
    if (lock !== undefined) {
      try {
        const path = join(folder, 'data');
        if (!existsSync(path)) await make(session, path, mount, from);
        return { path, [Symbol.dispose]: () => lock[Symbol.dispose]() };
      } catch (error) {
        lock[Symbol.dispose]();
        throw error;
      }
    }
    if (mount.sharing === 'private') {
      number++;
      continue;
    }
    if (!waited) onWait();
    waited = true;
    await sleep(50);
  }
}

async function make(session: BuildSession, path: string, mount: CacheMount, from: FileTree | undefined): Promise<void> {
  const draft = `${path}.${process.pid}`;
  mkdirSync(draft, { mode: 0o700 });
  if (from !== undefined) {
    using opened = openFileTree(session.store, from);
    const found = opened.view.resolve(byteString(mount.source));
    if (found?.node.kind === 'directory') exportFolder(opened.view, draft, found);
  }
  await giveTo(session.holder, draft, mount.uid, mount.gid, mount.mode);
  if (existsSync(path)) return;
  renameSync(draft, path);
}
