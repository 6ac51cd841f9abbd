import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerCgroup } from './container-cgroup.ts';
import { type CgroupLimits, controllersFor } from './limit-files.ts';
import { LimitsUnavailable } from './limits-unavailable.ts';
import { missingControllers } from './mends.ts';

/** The leaf for the agent and what it starts. A cgroup with controllers for its children may hold no processes itself. */
export const AGENT_LEAF = 'agent';

/** Controllers that are handed on to containers where we have them ourselves. */
const WANTED = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

/**
 * A cgroup that is ours to divide:
 *
 *     trun.scope/          this one; no processes
 *       agent/             the agent, monitors
 *       CONTAINER-ID/      one for each container with limits
 */
export class DelegatedSubtree {
  readonly path: string;
  /** The controllers that containers can have. */
  readonly controllers: readonly string[];

  /** Prepares the cgroup `path`, whose processes are in its leaf `agent` already. */
  constructor(path: string) {
    this.path = path;
    this.controllers = handOn(path);
  }

  /** Makes the cgroup of container `id`; throws `LimitsUnavailable` where a limit takes a controller that we lack. */
  createContainerCgroup(id: string, limits: CgroupLimits, { oomGroup = false } = {}): ContainerCgroup {
    const missing = controllersFor(limits).filter((controller) => !this.controllers.includes(controller));
    if (missing.length > 0) throw new LimitsUnavailable(missing, missingControllers(missing, process.getuid!()));
    return ContainerCgroup.create(join(this.path, id), limits, oomGroup && this.controllers.includes('memory'));
  }

  /** The cgroups of containers that exist, to be adopted or removed. */
  containerCgroups(): ContainerCgroup[] {
    return readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== AGENT_LEAF)
      .map((entry) => new ContainerCgroup(join(this.path, entry.name)));
  }
}

/** Moves `pid`, a process of ours within the same delegated cgroup, to the agents' leaf of the subtree at `path`. */
export function moveToAgentLeaf(path: string, pid: number): void {
  const leaf = join(path, AGENT_LEAF);
  mkdirSync(leaf, { recursive: true });
  writeFileSync(join(leaf, 'cgroup.procs'), String(pid));
}

/** Enables for the children of `path` what `path` has of the wanted controllers; returns what they have then. */
export function handOn(path: string): string[] {
  const has = readControllers(path, 'cgroup.controllers');
  for (const controller of WANTED) {
    // One by one: a controller that the kernel refuses (cpu with real-time processes about) shall not keep the others.
    if (!has.includes(controller)) continue;
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // Processes in `path` itself: cgroup-v2.rst, "No Internal Process Constraint".
      if ((error as NodeJS.ErrnoException).code === 'EBUSY') throw error;
    }
  }
  return readControllers(path, 'cgroup.subtree_control');
}

export function readControllers(path: string, file: 'cgroup.controllers' | 'cgroup.subtree_control'): string[] {
  return readFileSync(join(path, file), 'utf8')
    .split(/\s+/)
    .filter((name) => name !== '');
}
