/** How a new container comes to its cgroups: by the cgroup file system, by systemd, or not at all. */
import { errorCode } from '../../base/error-code.ts';
import type { Linux } from '../../oci/runtime-spec.ts';
import { log } from '../log.ts';
import { killQuietly } from '../kill-quietly.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { Surroundings } from '../global-flags.ts';
import { ContainerCgroups, NO_CGROUPS } from './container-cgroups.ts';
import { deviceRules } from './device-rules.ts';
import { readHierarchies } from './hierarchies.ts';

/** Makes the container's cgroups, moves its first process in and sets its limits. Throws with nothing left behind. */
export async function openCgroups(
  { cgroupManager, rootless }: Surroundings,
  id: string,
  linux: Linux,
  pid: number,
): Promise<ContainerCgroups> {
  const none = new ContainerCgroups(NO_CGROUPS);
  if (cgroupManager === 'disabled') return none;
  const hierarchies = readHierarchies();
  if (hierarchies.version === 0) return none;
  let cgroups: ContainerCgroups;
  try {
    if (cgroupManager === 'systemd') {
      const { startUnit } = await import('./systemd-unit.ts');
      cgroups = await startUnit(hierarchies, id, linux, pid);
    } else {
      cgroups = ContainerCgroups.make(hierarchies, cgroupsPath(linux, id));
      cgroups.enter(pid);
    }
  } catch (error) {
    // A user without delegation has no cgroups to give; where no limit is asked for, none is needed.
    if (!rootless || asksForLimits(linux) || !isRefused(error)) throw error;
    log('debug', `goes on without cgroups: ${(error as Error).message}`);
    return none;
  }
  try {
    cgroups.limit(linux.resources ?? {});
    try {
      cgroups.limitDevices(deviceRules(linux.resources?.devices ?? [], linux.devices ?? []));
    } catch (error) {
      if (!rootless) throw error;
    }
    return cgroups;
  } catch (error) {
    killQuietly(pid);
    cgroups.remove();
    throw error;
  }
}

/** The path for the cgroup file system: the spec's, else one named after the container below the caller's own. */
export function cgroupsPath({ cgroupsPath: path = '' }: Linux, id: string): string {
  if (/^[^/]+:[^:]*:[^:]+$/.test(path)) {
    throw new RuntimeError(`cgroupsPath ${path} is for systemd: give --systemd-cgroup`);
  }
  return path === '' ? id : path;
}

/** Device rules are no limits: a user namespace opens no devices of its own. */
function asksForLimits({ resources = {} }: Linux): boolean {
  return Object.entries(resources).some(
    ([kind, limits]) =>
      kind !== 'devices' &&
      Object.values(limits as object).some((limit) => limit !== undefined && limit !== 0 && limit !== ''),
  );
}

function isRefused(error: unknown): boolean {
  return (
    ['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(errorCode(error) ?? '') ||
    /EACCES|EPERM|EROFS|D-Bus|systemd/.test((error as Error).message)
  );
}
