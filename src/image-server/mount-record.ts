/** What is known of each FUSE mount in the holder's mount namespace: a JSON file each in `run/mounts.d`. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import { isAlive, type ProcessIdentity } from '../sys/process-identity.ts';

/** What a mount shows. `owner`: every file shows as root's, for a namespace that maps no other id. */
export type MountContent =
  | {
      readonly kind: 'tree';
      readonly index: string;
      readonly files: string;
      readonly owner: boolean;
      /** File that keeps what is read first, for reading it ahead at the next mount. */
      readonly order?: string;
    }
  | { readonly kind: 'directory'; readonly path: string; readonly owner: boolean }
  | {
      readonly kind: 'union';
      readonly lower: Exclude<MountContent, { kind: 'union' }>;
      /** The same for the same lower content for ever: an upper layer is refused over another. */
      readonly lowerName: string;
      readonly upper: string;
      readonly quota: LayerQuota;
      readonly owner: boolean;
    };

/** Bounds of a writable layer: bytes, and number of files. */
export interface LayerQuota {
  readonly size?: number;
  readonly inodes?: number;
}

/** Which process serves it: read-only content needs no state and is shared; writable layers have a process of their own. */
export type ServerName = 'images' | 'writable';

export interface MountRecord {
  /** File name of the record and of the mount point: the tree's digest or the container's id, and the holder's start. */
  readonly key: string;
  readonly mountPoint: string;
  readonly content: MountContent;
  /** The process that mounted it and keeps its /dev/fuse open. */
  readonly keeper: ProcessIdentity;
}

export function serverOf(content: MountContent): ServerName {
  return content.kind === 'union' ? 'writable' : 'images';
}

function recordsFolder(paths: Pick<StatePaths, 'run'>): string {
  return join(paths.run, 'mounts.d');
}

/** The record of a mount whose keeper lives. */
export function findMount(paths: Pick<StatePaths, 'run'>, key: string): MountRecord | undefined {
  const record = readJson<MountRecord>(join(recordsFolder(paths), `${key}.json`));
  return record !== undefined && isAlive(record.keeper) ? record : undefined;
}

export function writeMount(paths: Pick<StatePaths, 'run'>, record: MountRecord): void {
  mkdirSync(recordsFolder(paths), { recursive: true, mode: 0o700 });
  writeJson(join(recordsFolder(paths), `${record.key}.json`), record);
}

export function forgetMount(paths: Pick<StatePaths, 'run'>, key: string): void {
  rmSync(join(recordsFolder(paths), `${key}.json`), { force: true });
}

/** All mounts whose keepers live; records of others are removed. */
export function listMounts(paths: Pick<StatePaths, 'run'>): MountRecord[] {
  mkdirSync(recordsFolder(paths), { recursive: true, mode: 0o700 });
  const records = [];
  for (const name of readdirSync(recordsFolder(paths))) {
    if (!name.endsWith('.json')) continue;
    const key = name.slice(0, -'.json'.length);
    const record = findMount(paths, key);
    if (record === undefined) forgetMount(paths, key);
    else records.push(record);
  }
  return records;
}
