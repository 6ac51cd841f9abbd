/**
 * Who adds to the store and who deletes from it. Adding takes the store's lock shared, deleting exclusive, so what a pull has
 * found to exist stays until its image is in the index.
 *
 * What is left lying is known by files in `unfinished/`: `pull-…` of each pull that has not ended well (yet), `removal-…` with the
 * digests of what an image's removal is to delete, written before the image leaves the index.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson, writeJson } from '../../state/atomic-file.ts';
import { takeLock, tryLock, type Lock } from '../../state/lock.ts';
import { isDigest, type Digest } from '../digest.ts';
import { throwIfCancelled } from '../image-error.ts';
import type { StoreLayout } from './layout.ts';

/** Announces that contents are being added, until it is disposed of; `finished()` says that nothing was left lying. */
export interface Addition extends Disposable {
  finished(): void;
}

export async function beginAddition(layout: StoreLayout): Promise<Addition> {
  const store = await takeLock(layout.lock('store'), 'shared');
  const path = markPath(layout, 'pull');
  closeSync(openSync(path, 'wx', 0o600));
  return {
    finished: () => rmSync(path, { force: true }),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

/** The right to delete, or undefined while somebody adds. */
export function tryDeletion(layout: StoreLayout): Lock | undefined {
  return tryLock(layout.lock('store'), 'exclusive');
}

/** Notes that these manifests and lists are to go unless something in the index still needs them. */
export function noteRemoval(layout: StoreLayout, digests: readonly Digest[]): void {
  writeJson(markPath(layout, 'removal'), digests);
}

export interface Unfinished {
  /** Marks of pulls, with the time (ms) when they began. */
  readonly pulls: readonly { path: string; began: number }[];
  readonly removals: readonly { path: string; digests: readonly Digest[] }[];
}

/** What is left lying. With the right to delete none of it is anybody's. */
export function readUnfinished(layout: StoreLayout): Unfinished {
  const paths = readdirSync(layout.unfinished).map((name) => join(layout.unfinished, name));
  return {
    pulls: paths
      .filter((path) => path.includes('/pull-'))
      .map((path) => ({ path, began: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 })),
    removals: paths
      .filter((path) => /\/removal-[0-9a-f]+$/.test(path))
      .map((path) => ({ path, digests: readDigests(path) })),
  };
}

function readDigests(path: string): Digest[] {
  const value = readJson<unknown>(path);
  return Array.isArray(value) ? value.filter(isDigest) : [];
}

function markPath(layout: StoreLayout, kind: 'pull' | 'removal'): string {
  return join(layout.unfinished, `${kind}-${randomBytes(8).toString('hex')}`);
}

/** Takes a lock, giving up when the caller does. `onWait` is called once if somebody else has it. */
export async function waitForLock(path: string, signal: AbortSignal | undefined, onWait: () => void): Promise<Lock> {
  for (let pause = 2, waited = false; ; pause = Math.min(pause * 2, 100)) {
    throwIfCancelled(signal);
    const lock = tryLock(path);
    if (lock) return lock;
    if (!waited) onWait();
    waited = true;
    await sleep(pause);
  }
}
