/** Volumes: `volumes/<name>/_data`, with a record beside it. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Holder } from '../holder/holder.ts';
import { checkVolumeName } from '../oci/options/volume.ts';
import { removeTrees } from '../storage/remove-tree.ts';
import { readJson, syncFolder, writeJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import { errorCode } from '../base/error-code.ts';
import { listContainers } from './container.ts';
import { EngineError } from './engine-error.ts';

export interface Volume {
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Made for one container without a name: it goes with `rm -v` and `--rm`. */
  readonly anonymous: boolean;
}

/** The folder with a volume's content. */
export function volumeData(paths: StatePaths, name: string): string {
  return join(paths.volumes, name, '_data');
}

export function readVolume(paths: StatePaths, name: string): Volume | undefined {
  return readJson<Volume>(join(paths.volumes, name, 'volume.json'));
}

export function listVolumes(paths: StatePaths): Volume[] {
  return readdirSync(paths.volumes)
    .filter((name) => !name.startsWith('.'))
    .map((name) => readVolume(paths, name))
    .filter((volume) => volume !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The volume of that name. Throws NOT_FOUND in Docker's words. */
export function findVolume(paths: StatePaths, name: string): Volume {
  const volume = /^[a-zA-Z0-9]/.test(name) ? readVolume(paths, name) : undefined;
  if (volume === undefined) throw new EngineError('NOT_FOUND', `get ${name}: no such volume`);
  return volume;
}

/** Makes a volume, or finds the one of that name. */
export function createVolume(
  paths: StatePaths,
  { name, labels }: { name?: string; labels: Record<string, string> },
): Volume {
  const chosen = name ?? randomBytes(32).toString('hex');
  const known = readVolume(paths, checkVolumeName(chosen));
  if (known !== undefined) return known;
  const volume = { name: chosen, created: new Date().toISOString(), labels, anonymous: name === undefined };
  const draft = join(paths.volumes, `.new-${randomBytes(8).toString('hex')}`);
  try {
    mkdirSync(join(draft, '_data'), { recursive: true, mode: 0o755 });
    writeJson(join(draft, 'volume.json'), volume);
    renameSync(draft, join(paths.volumes, chosen));
    syncFolder(paths.volumes);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
  return volume;
}

/** Removes a volume and its content. Throws CONFLICT where a container has it. */
export async function removeVolume(paths: StatePaths, holder: Holder, name: string, force: boolean): Promise<void> {
  if (force && readVolume(paths, name) === undefined) return;
  findVolume(paths, name);
  const users = listContainers(paths).filter(({ config }) => Object.values(config.volumes).includes(name));
  if (users.length > 0) {
    const ids = users.map(({ config }) => config.id).join(', ');
    throw new EngineError('CONFLICT', `remove ${name}: volume is in use - [${ids}]`);
  }
  const condemned = join(paths.volumes, `.removed-${randomBytes(8).toString('hex')}`);
  renameSync(join(paths.volumes, name), condemned);
  await removeVolumeFolder(holder, condemned);
}

/** Removes what interrupted creations and removals have left. */
export async function sweepVolumes(paths: StatePaths, holder: () => Promise<Holder>): Promise<void> {
  for (const name of readdirSync(paths.volumes)) {
    if (name.startsWith('.')) await removeVolumeFolder(await holder(), join(paths.volumes, name));
  }
}

async function removeVolumeFolder(holder: Holder, folder: string): Promise<void> {
  try {
    rmSync(folder, { recursive: true });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    await removeTrees(holder, [folder]);
  }
}
