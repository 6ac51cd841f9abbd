/** Cgroups by way of systemd: a transient scope around the container's first process (systemd.scope(5)). */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Variant } from '../../cgroup/dbus/signature.ts';
import { isSystemdError, SystemdManager } from '../../cgroup/systemd-manager.ts';
import type { Linux, Resources } from '../../oci/runtime-spec.ts';
import { RuntimeError } from '../runtime-error.ts';
import { ContainerCgroups } from './container-cgroups.ts';
import type { Hierarchies } from './hierarchies.ts';
import { filesOfV2 } from './resource-files.ts';

interface UnitName {
  readonly slice: string;
  readonly scope: string;
}

/** `slice:prefix:name`, as engines write a cgroups path for systemd. */
export function unitName(cgroupsPath: string, id: string, isRoot: boolean): UnitName {
  const [slice = '', prefix = 'trun', name = id] = cgroupsPath === '' ? [] : cgroupsPath.split(':');
  if (cgroupsPath !== '' && cgroupsPath.split(':').length !== 3) {
    throw new RuntimeError(
      `cgroupsPath ${cgroupsPath} is not of the form slice:prefix:name that --systemd-cgroup takes`,
    );
  }
  return {
    slice: slice === '' ? (isRoot ? 'system.slice' : 'user.slice') : slice,
    scope: prefix === '' ? `${name}.scope` : `${prefix}-${name}.scope`,
  };
}

/** Has the scope started with `pid` in it. */
export async function startUnit(
  hierarchies: Hierarchies,
  id: string,
  { cgroupsPath = '', resources = {} }: Linux,
  pid: number,
): Promise<ContainerCgroups> {
  const uid = hostUid();
  const { slice, scope } = unitName(cgroupsPath, id, uid === 0);
  using manager = await SystemdManager.connect(uid, process.env);
  await manager.startScope(
    scope,
    `container ${id}`,
    [pid],
    [
      ['Slice', { signature: 's', value: slice }],
      ['DefaultDependencies', { signature: 'b', value: false }],
      ...limitProperties(resources),
    ],
  );
  const group = await manager.scopeControlGroup(scope);
  const folders: Record<string, string> = {};
  if (hierarchies.version === 2) {
    folders[''] = join(hierarchies.mountPoint, group);
  } else if (hierarchies.version === 1) {
    for (const { controllers, mountPoint } of hierarchies.hierarchies) {
      const folder = join(mountPoint, group);
      // systemd makes only those that it has properties for.
      if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
      for (const controller of controllers) folders[controller] = folder;
    }
  }
  const cgroups = new ContainerCgroups({
    version: hierarchies.version,
    folders,
    ours: [...new Set(Object.values(folders))],
    unit: scope,
  });
  if (hierarchies.version === 1) cgroups.enter(pid);
  return cgroups;
}

/** Has a process of ours moved to a scope: from a login session's cgroup, a user cannot move it there. */
export async function attachToUnit(scope: string, pid: number): Promise<void> {
  using manager = await SystemdManager.connect(hostUid(), process.env);
  await manager.attach(scope, '', [pid]);
}

/** Has systemd forget a scope whose processes are gone. */
export async function stopUnit(scope: string): Promise<void> {
  using manager = await SystemdManager.connect(hostUid(), process.env);
  await manager.stopUnit(scope).catch((error: unknown) => {
    // It goes by itself with its last process.
    if (!isSystemdError(error, 'NoSuchUnit')) throw error;
  });
}

/** What systemd must know, for it writes its own idea of the limits again when it is reloaded. */
function limitProperties(resources: Resources): (readonly [string, Variant])[] {
  const named: Readonly<Record<string, string>> = {
    'memory.max': 'MemoryMax',
    'memory.low': 'MemoryLow',
    'memory.swap.max': 'MemorySwapMax',
    'cpu.weight': 'CPUWeight',
    'pids.max': 'TasksMax',
  };
  return filesOfV2(resources).flatMap(({ name, value }): (readonly [string, Variant])[] => {
    const property = named[name];
    if (name === 'cpu.max') {
      const [quota, period] = value.split(' ').map(Number);
      if (quota === undefined || period === undefined || !Number.isFinite(quota)) return [];
      return [['CPUQuotaPerSecUSec', { signature: 't', value: BigInt(Math.ceil((quota / period) * 1_000_000)) }]];
    }
    if (property === undefined) return [];
    return [[property, { signature: 't', value: value === 'max' ? 0xffff_ffff_ffff_ffffn : BigInt(value) }]];
  });
}

/** The user as the host knows it: inside an engine's user namespace we are root and yet not the system's. */
function hostUid(): number {
  const uid = process.geteuid!();
  for (const line of readFileSync('/proc/self/uid_map', 'latin1').trim().split('\n')) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    if (uid >= inside && uid < inside + count) return outside + uid - inside;
  }
  return uid;
}
