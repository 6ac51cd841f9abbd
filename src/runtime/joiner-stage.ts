/**
 * Second stage, in a short-lived process: joins the holder's namespaces and clones the container's first process beside
 * itself (CLONE_PARENT), so that the monitor, which has stayed in the host's namespaces, is its parent.
 */
import { appendMappedClone } from '../monitor/mapped-clone.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import { AT_FDCWD, CLONE, O } from '../sys/linux-constants.ts';
import type { ContainerInput } from './launch-input.ts';

/** Appends the stage; what is appended next, the container's first process does. */
export function appendJoinerStage(plan: LaunchPlan, input: ContainerInput): void {
  const { network, cgroupProcs, holderPid, map, shared = { host: 0 }, keepGroups } = input;
  if (cgroupProcs !== undefined) enterCgroup(plan, cgroupProcs);
  // A namespace of the hub is only a place to start from: the container's own is made below.
  const hub = network.kind === 'host' ? 0 : CLONE.NEWNET;
  joinNamespaces(plan, holderPid, CLONE.NEWNS | hub);
  if (network.kind === 'join') plan.call('setns', [network.pidfd, CLONE.NEWNET], 'join the network namespace');
  const { join } = shared;
  // Their user namespace owns them: it comes first.
  if (join !== undefined)
    plan.call('setns', [join.pidfd, CLONE.NEWUSER | join.flags], "join the container's namespaces");

  const own = network.kind === 'new' ? CLONE.NEWNET : 0;
  const all = CLONE.NEWPID | CLONE.NEWNS | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWCGROUP | own;
  const flags = all & ~shared.host & ~(join?.flags ?? 0);
  const nested = join === undefined ? map : undefined;
  appendMappedClone(plan, flags, nested, (pid) => plan.pseudo('note', [pid], 'report the pid'), keepGroups);
}

/** Whoever is cloned later is born in the cgroup, and sees it as the root of its cgroup namespace. */
function enterCgroup(plan: LaunchPlan, cgroupProcs: string): void {
  const procs = plan.call('openat', [AT_FDCWD, cgroupProcs, O.WRONLY | O.CLOEXEC, 0], `open ${cgroupProcs}`);
  plan.call('write', [procs, '0', 1], `enter the cgroup by ${cgroupProcs}`);
}
