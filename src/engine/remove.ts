/** Removing containers. A removal that was begun is finished, by the next agent if need be. */
import { readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writableLayer } from '../storage/probe.ts';
import { listContainers, readContainer, type ContainerConfig, type ContainerState } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import type { EngineContext } from './context.ts';
import { readJson } from '../state/atomic-file.ts';
import { EngineError } from './engine-error.ts';
import { leaveNetworksForGood } from './networking.ts';
import { killAndWait } from './stop.ts';
import { readVolume, removeVolume } from './volumes.ts';

const REMOVED = 'removed-';

export interface RemoveOptions {
  /** Kill it first where it runs. */
  readonly force: boolean;
  /** Its volumes without a name go as well. */
  readonly volumes: boolean;
}

export async function removeContainer(
  context: EngineContext,
  id: string,
  { force, volumes }: RemoveOptions,
): Promise<void> {
  const { paths } = context;
  const before = readContainer(paths, id);
  if (before === undefined) return;
  // A start that was under way gets through first, so it may run only by the time it is looked at again.
  let condemned;
  do {
    const state = readContainer(context.paths, id)?.state;
    if (state?.status === 'running' || state?.status === 'restarting') {
      if (!force) throw stillUp(before.config, state);
      await killAndWait(context, id);
    }
    condemned = await context.exclusive(id, () => condemn(context, id));
  } while (condemned === 'running');
  if (condemned === 'gone') return;
  recordContainerEvent(context, before.config, 'destroy');
  context.events.emit('removed', id);
  await finishRemoval(context, `${REMOVED}${id}`);
  if (volumes) await removeAnonymousVolumes(context, before.config);
}

/** Docker's words. */
function stillUp({ name }: ContainerConfig, { status, paused }: ContainerState): EngineError {
  const reason =
    paused === true
      ? 'container is paused and must be unpaused first'
      : `container is ${status}: stop the container before removing or force remove`;
  return new EngineError('CONFLICT', `cannot remove container "/${name}": ${reason}`);
}

async function condemn(context: EngineContext, id: string): Promise<'running' | 'gone' | 'condemned'> {
  const { paths } = context;
  const container = readContainer(paths, id);
  if (container === undefined) return 'gone';
  if (context.running.has(id) || container.state.status === 'restarting') return 'running';
  await leaveNetworksForGood(context, container);
  // From here on it is gone for everybody; its name is free.
  renameSync(container.folder, join(paths.containers, `${REMOVED}${id}`));
  return 'condemned';
}

async function removeAnonymousVolumes(context: EngineContext, config: ContainerConfig): Promise<void> {
  for (const name of Object.values(config.volumes)) {
    const shared = listContainers(context.paths).some((other) => Object.values(other.config.volumes).includes(name));
    if (readVolume(context.paths, name)?.anonymous !== true || shared) continue;
    await removeVolume(context.paths, await context.holder(), name, true);
  }
}

/** Removes what removals that were killed have left. */
export async function sweepRemoved(context: EngineContext): Promise<void> {
  for (const name of readdirSync(context.paths.containers))
    if (name.startsWith(REMOVED)) await finishRemoval(context, name);
}

async function finishRemoval(context: EngineContext, name: string): Promise<void> {
  const { paths } = context;
  const folder = join(paths.containers, name);
  const config = readJson<ContainerConfig>(join(folder, 'config.json'));
  const holder = await context.holder();
  const id = config?.id ?? name;
  for (const kind of config === undefined ? (['kernel', 'fuse'] as const) : [config.writable]) {
    await writableLayer(kind).remove({ paths, holder, id, folder });
  }
  // On other threads: a large layer would keep everybody waiting.
  await rm(folder, { recursive: true, force: true });
}
