import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AGENT_LEAF, handOn, moveToAgentLeaf, readControllers } from './delegated-subtree.ts';

/** Ours within a cgroup that was handed to us without systemd. */
const SUBTREE = 'trun';

/** Cgroups that a systemd divides, the user's own included: nobody else may (systemd's "Control Group APIs and Delegation"). */
const SYSTEMDS_OWN = /\.slice$|^user@\d+\.service$|^init\.scope$/;

/**
 * The cgroups that were delegated to us by their owner and permissions (cgroup-v2.rst, "Model of Delegation"), our own
 * first, then its ancestors up to `mountPoint`.
 */
export function writableCgroups(own: string, mountPoint: string): string[] {
  const found: string[] = [];
  for (let path = own; path.startsWith(mountPoint); path = dirname(path)) {
    if (isDelegated(path) && !SYSTEMDS_OWN.test(basename(path))) found.push(path);
    if (path === mountPoint) break;
  }
  return found;
}

/** Whether a subtree can be made in `path`: its controllers are handed on already, or nobody but `pid` is in the way. */
export function canDivide(path: string, pid: number): boolean {
  const handedOn = readControllers(path, 'cgroup.subtree_control').includes('memory');
  return handedOn || processesOf(path).every((other) => other === pid);
}

/** Makes our subtree in `parent`, moves `pid` to its leaf for agents and returns its path; undoes it when it fails. */
export function divide(parent: string, pid: number): string {
  const path = join(parent, SUBTREE);
  mkdirSync(path, { recursive: true });
  const wasInParent = processesOf(parent).includes(pid);
  moveToAgentLeaf(path, pid);
  try {
    handOn(parent);
  } catch (error) {
    if (wasInParent) writeFileSync(join(parent, 'cgroup.procs'), String(pid));
    removeQuietly(join(path, AGENT_LEAF), path);
    throw error;
  }
  return path;
}

function isDelegated(path: string): boolean {
  try {
    for (const name of ['', 'cgroup.procs', 'cgroup.subtree_control']) accessSync(join(path, name), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function processesOf(path: string): number[] {
  return readFileSync(join(path, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function removeQuietly(...paths: string[]): void {
  try {
    for (const path of paths) rmdirSync(path);
  } catch {
    // Another agent is in there.
  }
}
