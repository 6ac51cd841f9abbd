/**
 * How the agent comes to a cgroup subtree that it may divide among containers.
 *
 * A process can be moved only by who may write to both cgroups' common ancestor. A login session's cgroup belongs to
 * root, so from there neither the agent nor what it starts can go anywhere. The user's systemd can have them moved: it
 * makes a transient scope, delegated to the user, with the agent's pid in it. Everything the agent starts from then on
 * is inside, too, and can be moved on to a container's cgroup.
 *
 * The scope lasts as long as a process is in it. A new agent that a monitor has started is inside from the start; one
 * that was started from a login joins the scope that is there. Where no systemd is to be had, a cgroup that is writable
 * for us does as well.
 */
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_LEAF, DelegatedSubtree, moveToAgentLeaf, readControllers } from './delegated-subtree.ts';
import { canDivide, divide, writableCgroups } from './direct-delegation.ts';
import { type Hierarchy, readHierarchy } from './hierarchy.ts';
import { type CgroupLimits, controllersFor } from './limit-files.ts';
import { LimitsUnavailable } from './limits-unavailable.ts';
import { missingControllers, noDelegation, type Obstacle, othersInTheWay, version1 } from './mends.ts';
import { isSystemdError, SystemdManager } from './systemd-manager.ts';

const SCOPE = 'trun.scope';
const ATTEMPTS = 5;

/** What limits this host lets us set, without touching anything: for `info` and `doctor`. */
export interface LimitsSupport {
  available: boolean;
  /** Of cpu, memory, pids and others. */
  controllers: string[];
  /** What is missing, and the administrator's fix; both empty where nothing is. */
  reason: string;
  mend: string;
}

interface Surroundings {
  uid: number;
  env: NodeJS.ProcessEnv;
}

function surroundings(): Surroundings {
  return { uid: process.getuid!(), env: process.env };
}

const NEEDED = ['cpu', 'memory', 'pids'];

/** Looks at what limits are to be had, and by what obstacle not. */
export async function limitsSupport({ uid, env } = surroundings()): Promise<LimitsSupport> {
  const hierarchy = readHierarchy();
  if (hierarchy.version !== 2) return unavailable(version1(hierarchy.reason));
  const inside = scopeAround(hierarchy.own);
  if (inside !== undefined) return supportIn(inside, uid);
  let tried: string;
  try {
    using manager = await SystemdManager.connect(uid, env);
    return supportIn(join(hierarchy.mountPoint, manager.controlGroup), uid);
  } catch (error) {
    tried = messageOf(error);
  }
  const writable = writableCgroups(hierarchy.own, hierarchy.mountPoint);
  const direct = writable.find((path) => canDivide(path, process.pid));
  if (direct !== undefined) return supportIn(direct, uid);
  const [busy] = writable;
  return unavailable(busy === undefined ? noDelegation(uid, tried) : othersInTheWay(busy));
}

/**
 * Moves this process, and no other, to a cgroup subtree of the user's and returns it. Does nothing where it is in one
 * already. Throws `LimitsUnavailable` where there is no way; `limits` are what it is wanted for, to be named then.
 */
export async function enterDelegatedScope(
  limits: CgroupLimits = {},
  { uid, env } = surroundings(),
): Promise<DelegatedSubtree> {
  const what = controllersFor(limits);
  const hierarchy = readHierarchy();
  if (hierarchy.version !== 2) throw new LimitsUnavailable(what, version1(hierarchy.reason));
  const inside = scopeAround(hierarchy.own);
  if (inside !== undefined) return new DelegatedSubtree(inside);
  let tried: string;
  try {
    using manager = await SystemdManager.connect(uid, env);
    return new DelegatedSubtree(await enterScope(manager, hierarchy));
  } catch (error) {
    tried = messageOf(error);
  }
  const writable = writableCgroups(hierarchy.own, hierarchy.mountPoint);
  for (const parent of writable) {
    try {
      return new DelegatedSubtree(divide(parent, process.pid));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    }
  }
  const [busy] = writable;
  throw new LimitsUnavailable(what, busy === undefined ? noDelegation(uid, tried) : othersInTheWay(busy));
}

/** Starts the scope with us in it, or joins the one that is there; the two may alternate while another one ends. */
async function enterScope(manager: SystemdManager, { mountPoint }: Hierarchy & { version: 2 }): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      await manager.startScope(SCOPE, 'Containers of trun', [process.pid]);
      const path = join(mountPoint, await manager.scopeControlGroup(SCOPE));
      moveToAgentLeaf(path, process.pid);
      return path;
    } catch (error) {
      if (!isSystemdError(error, 'UnitExists') || attempt === ATTEMPTS) throw error;
    }
    try {
      const path = join(mountPoint, await manager.scopeControlGroup(SCOPE));
      mkdirSync(join(path, AGENT_LEAF), { recursive: true });
      await manager.attach(SCOPE, `/${AGENT_LEAF}`, [process.pid]);
      return path;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await sleep(50 * attempt);
    }
  }
}

/** The subtree that we are in the leaf for agents of. */
function scopeAround(own: string): string | undefined {
  const path = dirname(own);
  return basename(own) === AGENT_LEAF && [SCOPE, 'trun'].includes(basename(path)) ? path : undefined;
}

function supportIn(path: string, uid: number): LimitsSupport {
  const controllers = readControllers(path, 'cgroup.controllers');
  const missing = NEEDED.filter((name) => !controllers.includes(name));
  const { reason, mend } = missing.length === 0 ? { reason: '', mend: '' } : missingControllers(missing, uid);
  return { available: missing.length < NEEDED.length, controllers, reason, mend };
}

function unavailable({ reason, mend }: Obstacle): LimitsSupport {
  return { available: false, controllers: [], reason, mend };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
