/** `update`: another restart policy or other limits, for a container that runs, too. */
import { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import { setMountQuota } from '../image-server/client.ts';
import type { LayerQuota } from '../image-server/mount-record.ts';
import { mergeLimits, type ResourceLimits } from '../oci/options/limits.ts';
import type { RestartPolicy } from '../oci/options/restart.ts';
import { readContainer, type Container } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveConfig, saveState, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { createCgroup } from './limits.ts';
import { containerProcesses } from './processes.ts';
import { checkStorageQuota, layerQuota } from './storage-quota.ts';

export interface ContainerUpdate {
  readonly restart?: RestartPolicy;
  /** What is absent stays as it is. */
  readonly limits?: ResourceLimits;
  /** As for limits; 0 is none. */
  readonly storage?: LayerQuota;
}

/** Throws UNSUPPORTED where this host does not permit the limits; then nothing has changed. */
export async function updateContainer(context: EngineContext, id: string, update: ContainerUpdate): Promise<void> {
  await context.exclusive(id, async () => {
    const container = readContainer(context.paths, id);
    if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
    const { config, state, folder } = container;
    const { restart, limits, storage } = update;
    if (restart !== undefined && restart.name !== 'no' && config.request.autoRemove) {
      throw new EngineError(
        'CONFLICT',
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
      );
    }
    if (storage !== undefined) checkStorageQuota(config);
    const merged = mergeLimits(config.request.options.limits ?? {}, limits ?? {});
    const request = {
      ...config.request,
      ...(restart === undefined ? {} : { restart }),
      options: { ...config.request.options, limits: merged },
      storage: { ...config.request.storage, ...storage },
    };
    const changed: Container = { ...container, config: { ...config, request } };
    if (limits !== undefined && Object.keys(limits).length > 0 && state.status === 'running') await limitNow(changed);
    saveConfig(folder, changed.config);
    if (storage !== undefined) await setMountQuota(context.paths, id, layerQuota(request.storage));
    recordContainerEvent(context, config, 'update');
  });
}

async function limitNow(container: Container): Promise<void> {
  const { state, config } = container;
  const limits = config.request.options.limits ?? {};
  if (state.cgroup !== undefined) {
    try {
      new ContainerCgroup(state.cgroup).limit(limits);
    } catch (error) {
      throw new EngineError('FAILED', `Cannot update container ${config.id}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return;
  }
  // Born without limits, and without a cgroup: its processes move into one now.
  const cgroup = await createCgroup(container);
  if (cgroup === undefined) return;
  try {
    moveAll(state.process!.pid, cgroup);
  } catch (error) {
    // A cgroup is removed with whoever is in it: one that has taken some of them stays.
    if (cgroup.processes().length === 0) await cgroup.remove();
    else saveState(container, { ...state, cgroup: cgroup.path });
    throw new EngineError(
      'UNSUPPORTED',
      `Cannot limit container ${config.id} while it runs: it was started without limits, and its processes cannot be moved ` +
        `(${(error as Error).message}); stop it, update it, start it`,
      { cause: error },
    );
  }
  saveState(container, { ...state, cgroup: cgroup.path });
}

/** Until a look finds nobody outside: what has not been moved yet may fork. */
function moveAll(first: number, cgroup: ContainerCgroup): void {
  for (;;) {
    const inside = new Set(cgroup.processes());
    const outside = containerProcesses(first).filter(({ pid, state }) => !inside.has(pid) && !'ZX'.includes(state));
    if (outside.length === 0) return;
    for (const { pid } of outside) {
      try {
        cgroup.addProcess(pid);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
}
