/**
 * The launch plan of `exec`: a process that joins a running container.
 *
 *   waiter  host namespaces      clones the joiner; reports how the program ended on the status socket
 *   joiner  the container's      clones the program with CLONE_PARENT into the pid namespace it has joined
 *   program the container's      gives up privileges and executes; its terminal's master goes to the client's socket
 */
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';
import type { Process } from '../oci/runtime-spec.ts';
import { AT_FDCWD, CLONE, MSG_NOSIGNAL, O, PR, SIGCHLD } from '../sys/linux-constants.ts';
import { FD } from './fds.ts';
import { openTerminalChannel, receiveMaster } from './monitor-stage.ts';
import { appendLimits, appendProcessStage } from './process-stage.ts';
import { fdMessage } from './structures.ts';
import { appendTerminal, appendTerminalStdio } from './terminal-stage.ts';

export interface ExecInput {
  readonly process: Process;
  /** Fd of the plan's process: a pidfd of the container's first process. A pid might be another's by now. */
  readonly pidfd: number;
  /** CLONE_NEW* of the namespaces to join: setns(2) refuses the host's, which the plan is in already. */
  readonly namespaces: number;
  readonly cgroupProcs?: string | undefined;
  readonly seccomp?: Buffer | undefined;
  /** The program ends with the waiter. */
  readonly endsWithParent?: boolean | undefined;
}

/** stdin, stdout and stderr are the waiter's; with a terminal, its master is sent on the status socket. */
export function execPlan({
  process,
  pidfd,
  namespaces,
  cgroupProcs,
  seccomp,
  endsWithParent = false,
}: ExecInput): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-exec');
  const [joiner, program] = [new Label(), new Label()];
  const terminal = process.terminal === true;
  if (terminal) openTerminalChannel(plan);
  const joinerPid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], joiner, 'clone a process');
  if (terminal) {
    // Kept here as well: a client that detaches must not hang its program up.
    receiveMaster(plan);
    plan.call('sendmsg', [STATUS_FD, fdMessage(FD.master).header, MSG_NOSIGNAL], 'hand the terminal over', {
      ignore: true,
    });
  }
  for (const fd of [0, 1, 2, PLAN_FD, pidfd]) plan.call('close', [fd], 'close file descriptors', { ignore: true });
  plan.pseudo('reap', [joinerPid], 'wait for the program');

  plan.place(joiner);
  if (cgroupProcs !== undefined) {
    const procs = plan.call('openat', [AT_FDCWD, cgroupProcs, O.WRONLY | O.CLOEXEC, 0], `open ${cgroupProcs}`);
    plan.call('write', [procs, '0', 1], `enter the cgroup by ${cgroupProcs}`);
    plan.call('close', [procs], 'close the cgroup');
  }
  // From the join on, the container's processes see this one: they must get at neither its memory nor its fds
  // (CVE-2016-9962). execve(2) makes it dumpable again.
  plan.call('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], 'hide from the container');
  plan.call('setns', [pidfd, namespaces], "join the container's namespaces");
  plan.call('close', [pidfd], 'close the pidfd');
  plan.fork('clone', [CLONE.PARENT | SIGCHLD, 0, 0, 0, 0], program, 'clone the program');
  plan.call('exit_group', [0], 'leave');

  plan.place(program);
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the container');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the container');
  plan.call('chdir', ['/'], "enter the container's root");
  appendLimits(plan, process);
  plan.call('setsid', [], 'start a session');
  if (terminal) {
    const root = plan.call('openat', [AT_FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC, 0], 'open the root');
    plan.call('dup3', [root, FD.root, O.CLOEXEC], 'move the root');
    appendTerminal(plan, process, FD.masterSend);
    appendTerminalStdio(plan);
  }
  appendProcessStage(plan, { process, seccomp, init: false, endsWithParent });
  return plan;
}
