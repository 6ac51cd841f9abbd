import { readdirSync, readlinkSync } from 'node:fs';
import { ContainerCgroups } from './cgroup/container-cgroups.ts';
import type { ContainerRecord } from './container-record.ts';
import { isAlive } from '../sys/process-identity.ts';

/** Pids of a container's processes: those of its cgroups; without cgroups those of its pid namespace. */
export function containerProcesses({ cgroup, init, hasPidNamespace }: ContainerRecord): number[] {
  const cgroups = new ContainerCgroups(cgroup);
  if (cgroup.version !== 0) return cgroups.processes();
  if (!isAlive(init)) return [];
  if (!hasPidNamespace) return [init.pid];
  const namespace = pidNamespace(init.pid);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid === init.pid || (namespace !== undefined && pidNamespace(pid) === namespace));
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    // Gone, or another user's.
    return undefined;
  }
}
