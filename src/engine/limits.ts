/** Limits of containers, by cgroups of the user's own. A container without limits has no cgroup, and needs none. */
import { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import type { DelegatedSubtree } from '../cgroup/delegated-subtree.ts';
import { enterDelegatedScope } from '../cgroup/enter-delegated-scope.ts';
import { LimitsUnavailable } from '../cgroup/limits-unavailable.ts';
import type { Container } from './container.ts';
import { EngineError } from './engine-error.ts';

/** Our own place among the cgroups: entered once, with the first container that has limits. */
let subtree: Promise<DelegatedSubtree> | undefined;

/** The cgroup for a container's next start; undefined where no limits were asked for. Throws UNSUPPORTED with the mend. */
export async function createCgroup({ config }: Container): Promise<ContainerCgroup | undefined> {
  const { limits } = config.request.options;
  if (limits === undefined || Object.values(limits).every((limit) => limit === undefined)) return undefined;
  try {
    subtree ??= enterDelegatedScope(limits);
    const ours = await subtree;
    // One that an agent, killed with its container, has left.
    await ours
      .containerCgroups()
      .find(({ id }) => id === config.id)
      ?.remove();
    return ours.createContainerCgroup(config.id, limits);
  } catch (error) {
    subtree = undefined;
    if (error instanceof LimitsUnavailable) throw new EngineError('UNSUPPORTED', error.message, { cause: error });
    throw error;
  }
}

/** Takes a container's cgroup away after its end; tells whether the kernel killed something in it for want of memory. */
export async function removeCgroup(path: string): Promise<{ oomKilled: boolean }> {
  const cgroup = new ContainerCgroup(path);
  const oomKilled = cgroup.oomKills() > 0;
  await cgroup.remove();
  return { oomKilled };
}
