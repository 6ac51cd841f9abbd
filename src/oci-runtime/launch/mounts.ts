/** The mounts of a bundle, completed with what only the host can tell. */
import { statSync } from 'node:fs';
import { basename, isAbsolute, join, posix } from 'node:path';
import type { Mount, RuntimeSpec } from '../../oci/runtime-spec.ts';
import type { PlannedMount } from '../../runtime/mount-stage.ts';
import { CLONE } from '../../sys/linux-constants.ts';
import { cgroupFolders } from '../cgroup/container-cgroups.ts';
import { readHierarchies } from '../cgroup/hierarchies.ts';
import { RuntimeError } from '../runtime-error.ts';

interface Situation {
  readonly bundle: string;
  /** CLONE_NEW* flags of the namespaces that the container gets new. */
  readonly newNamespaces: number;
  /** The cgroups path, where the container has cgroups of its own that this can name. */
  readonly cgroupsPath: string | undefined;
}

export function plannedMounts({ mounts = [] }: RuntimeSpec, situation: Situation): PlannedMount[] {
  return mounts.flatMap((mount) => plan({ ...mount, destination: posix.resolve('/', mount.destination) }, situation));
}

function plan(mount: Mount, { bundle, newNamespaces, cgroupsPath }: Situation): PlannedMount[] {
  const { type, options = [], source = '' } = mount;
  if (options.some((option) => option === 'idmap' || option === 'ridmap') || (mount.uidMappings ?? []).length > 0) {
    throw new RuntimeError(`mount ${mount.destination}: id-mapped mounts are not supported by trun-oci`);
  }
  if (type === 'bind' || options.includes('bind') || options.includes('rbind')) {
    const from = isAbsolute(source) ? source : join(bundle, source);
    return [{ ...mount, source: from, isFile: !isFolder(from) }];
  }
  if (type === 'cgroup') return cgroupMounts(mount, newNamespaces, cgroupsPath);
  // Without a pid namespace of its own, the container has the caller's processes to show.
  if (type === 'proc' && !(newNamespaces & CLONE.NEWPID)) return [{ ...mount, orBind: '/proc' }];
  return [mount];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new RuntimeError(`cannot bind ${path}: ${(error as Error).message}`);
  }
}

/**
 * Version 2 is one file system. Of version 1 each hierarchy is shown below a folder, as the container's own cgroup in it:
 * a container cannot mount them, and its cgroup namespace would show the same.
 */
function cgroupMounts(mount: Mount, newNamespaces: number, cgroupsPath: string | undefined): PlannedMount[] {
  const { destination, options = [] } = mount;
  const hierarchies = readHierarchies();
  if (hierarchies.version === 0) return [];
  if (hierarchies.version === 2) {
    if (newNamespaces & CLONE.NEWCGROUP) return [mount];
    return [{ ...mount, type: 'bind', source: hierarchies.mountPoint, options: ['rbind', ...options] }];
  }
  const flags = options.filter((option) => ['ro', 'nosuid', 'nodev', 'noexec', 'relatime'].includes(option));
  const own = cgroupsPath === undefined ? {} : cgroupFolders(hierarchies, cgroupsPath);
  const folders = hierarchies.hierarchies.map(({ controllers, mountPoint, own: callers }): PlannedMount => {
    const source = own[controllers[0] ?? ''] ?? callers;
    const target = join(destination, basename(mountPoint));
    return { destination: target, type: 'bind', source, options: ['rbind', ...flags] };
  });
  return [
    { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=755'] },
    ...folders,
  ];
}
