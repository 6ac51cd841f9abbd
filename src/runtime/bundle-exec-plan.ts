/**
 * The launch plans of processes that join a bundle's container: programs of `exec`, and hooks that run in its namespaces.
 *
 *   waiter  foreground only: stays, and reports how the program ended
 *   joiner  joins the container's namespaces, clones the program, reports its pid, ends
 *   program gives up privileges and executes
 */
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { STATUS_FD } from '../monitor/plan-layout.ts';
import type { Hook, Process } from '../oci/runtime-spec.ts';
import { AT_FDCWD, CLONE, O, PR, SIGCHLD } from '../sys/linux-constants.ts';
import { BUNDLE_FD, type BundleProcess } from './bundle-launch.ts';
import { appendBundleProcess, appendLookup, appendStdio, openLabel } from './bundle-process-stage.ts';
import { FD } from './fds.ts';
import { appendLimits } from './process-stage.ts';
import { appendTerminal, appendTerminalStdio } from './terminal-stage.ts';

export interface JoinInput {
  /** The container's first process. */
  readonly pid: number;
  /** CLONE_NEW* flags of the namespaces that are not the caller's. */
  readonly namespaces: number;
  readonly foreground: boolean;
}

export interface BundleExec extends BundleProcess, JoinInput {}

/** Notes: with `foreground` the joiner's pid, then the program's. The joiner waits for the word before it joins. */
export function bundleExecPlan(input: BundleExec): LaunchPlan {
  const { process, preservedFds } = input;
  const plan = new LaunchPlan();
  plan.rename('trun-oci');
  plan.call('close_range', [BUNDLE_FD.console + 1, BUNDLE_FD.preserved - 1, 0], 'close file descriptors');
  plan.call('close_range', [BUNDLE_FD.preserved + preservedFds, 0xffffffff, 0], 'close file descriptors');
  appendJoin(plan, input);
  // Label and limits are the program's own, so they are opened and set by it.
  const label = openLabel(plan, input);
  appendLookup(plan, process);
  appendStdio(plan, input);
  plan.call('setsid', [], 'start a session');
  if (process.terminal === true) terminal(plan, process);
  appendLimits(plan, process);
  appendBundleProcess(plan, input, label);
  return plan;
}

/** A hook in the container's namespaces: with all privileges, in the root that the container's first process has now. */
export function hookPlan(input: JoinInput, { path, args = [path], env = [] }: Hook): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-oci-hook');
  plan.call('close_range', [BUNDLE_FD.console, 0xffffffff, 0], 'close file descriptors');
  appendJoin(plan, input);
  plan.call('close_range', [3, 0xffffffff, 4 /* CLOSE_RANGE_CLOEXEC */], 'close file descriptors');
  plan.pseudo(
    'exec',
    [plan.strings([path], 'paths'), plan.strings(args, 'arguments'), plan.strings(env, 'environment')],
    `execute the hook ${path}`,
  );
  return plan;
}

function appendJoin(plan: LaunchPlan, { pid, namespaces, foreground }: JoinInput): void {
  plan.call('chdir', ['/'], 'enter /');
  if (foreground) {
    // The caller's terminal signals the caller, which passes on what the program is to get.
    plan.call('setsid', [], 'start a session', { ignore: true });
    const joiner = new Label();
    const joinerPid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], joiner, 'clone a process');
    plan.pseudo('note', [joinerPid], 'report the pid');
    for (const fd of [0, 1, 2, BUNDLE_FD.console]) plan.call('close', [fd], 'close file descriptors', { ignore: true });
    plan.pseudo('reap', [joinerPid], 'wait for the program');
    plan.place(joiner);
  } else {
    plan.pseudo('note', [0], 'report');
  }
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word to go', { nonzero: true });
  const program = new Label();
  if (namespaces !== 0) {
    const container = plan.call('pidfd_open', [pid, 0], 'find the container');
    // From the join on, the container's processes see this one: they must get at neither its memory nor its fds
    // (CVE-2016-9962). execve(2) makes it dumpable again.
    plan.call('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], 'hide from the container');
    plan.call('setns', [container, namespaces], "join the container's namespaces");
    plan.call('close', [container], 'close the pidfd');
  }
  const parent = foreground ? CLONE.PARENT : 0;
  const programPid = plan.fork('clone', [parent | SIGCHLD, 0, 0, 0, 0], program, 'clone the program');
  plan.pseudo('note', [programPid], 'report the pid');
  plan.call('exit_group', [0], 'leave');

  plan.place(program);
  if (namespaces & CLONE.NEWUSER) {
    plan.call('setresgid', [0, 0, 0], 'become group 0 of the container', { ignore: true });
    plan.call('setresuid', [0, 0, 0], 'become user 0 of the container', { ignore: true });
  }
  plan.call('chdir', ['/'], "enter the container's root");
}

function terminal(plan: LaunchPlan, process: Process): void {
  const root = plan.call('openat', [AT_FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC, 0], 'open the root');
  plan.call('dup3', [root, FD.root, O.CLOEXEC], 'move the root');
  appendTerminal(plan, process, BUNDLE_FD.console, { nonblocking: false });
  appendTerminalStdio(plan);
}
