/**
 * Second stage, in a short-lived process: joins the holder's namespaces and clones the container's first process beside
 * itself (CLONE_PARENT), so that the monitor, which has stayed in the host's namespaces, is its parent.
 */
import { nestedMap, type IdExtent } from '../base/id-extents.ts';
import { Label, type LaunchPlan, Load32, type Result } from '../monitor/plan.ts';
import { AT_FDCWD, CLONE, O, SIGCHLD } from '../sys/linux-constants.ts';
import type { LaunchInput } from './launch-input.ts';

/** Appends the stage; what is appended next, the container's first process does. */
export function appendJoinerStage(plan: LaunchPlan, input: LaunchInput): void {
  const { network, cgroupProcs, holderPid, map } = input;
  if (cgroupProcs !== undefined) enterCgroup(plan, cgroupProcs);

  const theirNetwork =
    network.kind === 'join'
      ? plan.call(
          'openat',
          [AT_FDCWD, `/proc/${network.pid}/ns/net`, O.RDONLY | O.CLOEXEC, 0],
          'open the network namespace to join',
        )
      : undefined;
  const holder = plan.call('pidfd_open', [holderPid, 0], 'find the holder process');
  // A namespace of the hub is only a place to start from: the container's own is made below.
  const hub = network.kind === 'host' ? 0 : CLONE.NEWNET;
  plan.call('setns', [holder, CLONE.NEWUSER | CLONE.NEWNS | hub], "join the holder's namespaces");
  if (theirNetwork !== undefined) plan.call('setns', [theirNetwork, CLONE.NEWNET], 'join the network namespace');

  const gate = plan.room(8, 'gate');
  plan.call('pipe2', [gate, O.CLOEXEC], 'make a pipe');
  const container = new Label();
  const own = network.kind === 'new' ? CLONE.NEWNET : 0;
  const flags =
    CLONE.NEWUSER |
    CLONE.NEWPID |
    CLONE.NEWNS |
    CLONE.NEWUTS |
    CLONE.NEWIPC |
    CLONE.NEWCGROUP |
    own |
    CLONE.PARENT |
    SIGCHLD;
  const pid = plan.fork('clone', [flags, 0, 0, 0, 0], container, "create the container's namespaces");
  writeMap(plan, pid, 'uid_map', map.uid);
  writeMap(plan, pid, 'gid_map', map.gid);
  plan.pseudo('note', [pid], 'report the pid');
  plan.call('write', [new Load32(gate, 4), 'x', 1], 'open the gate');
  plan.call('exit_group', [0], 'leave');

  plan.place(container);
  // Without its ids the process is nobody yet. A joiner that fails has closed its end: end of file.
  plan.call('close', [new Load32(gate, 4)], 'close the gate');
  plan.call('read', [new Load32(gate, 0), plan.room(1, 'byte'), 1], 'wait for the id map', { nonzero: true });
}

/** Whoever is cloned later is born in the cgroup, and sees it as the root of its cgroup namespace. */
function enterCgroup(plan: LaunchPlan, cgroupProcs: string): void {
  const procs = plan.call('openat', [AT_FDCWD, cgroupProcs, O.WRONLY | O.CLOEXEC, 0], `open ${cgroupProcs}`);
  plan.call('write', [procs, '0', 1], `enter the cgroup by ${cgroupProcs}`);
}

/** The whole map in one write(2), from the parent namespace: user_namespaces(7). */
function writeMap(plan: LaunchPlan, pid: Result, name: 'uid_map' | 'gid_map', extents: readonly IdExtent[]): void {
  const path = plan.room(64, `/proc/PID/${name}`);
  const text = nestedMap(extents);
  plan.pseudo('proc_path', [path, pid, name], `name ${name}`);
  const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${name}`);
  plan.call('write', [file, text, text.length], `map ids by ${name}`);
}
