/**
 * The launch plan of a container: three processes' work in one list (ARCHITECTURE.md draws their handshake).
 *
 *   monitor    host namespaces    pipes, socket; clones the joiner; supervises
 *   joiner     holder's           clones the container's first process with CLONE_PARENT, maps its ids, reports its pid
 *   container  its own            makes its network namespace ready, reports, waits for the word (the network driver
 *                                 attaches it meanwhile), mounts, pivots, gives up privileges, executes the program
 */
import { LaunchPlan } from '../monitor/plan.ts';
import { STATUS_FD } from '../monitor/plan-layout.ts';
import { AT_FDCWD, O } from '../sys/linux-constants.ts';
import { appendConsole, appendDeviceStage } from './device-stage.ts';
import { FD } from './fds.ts';
import { appendHideStage } from './hide-stage.ts';
import { appendJoinerStage } from './joiner-stage.ts';
import type { ContainerInput, LaunchInput } from './launch-input.ts';
import { appendMonitorStage } from './monitor-stage.ts';
import { appendMountStage } from './mount-stage.ts';
import { appendLimits, appendProcessStage } from './process-stage.ts';
import { appendPivot, appendReadonlyRoot, appendRootMount, appendWorkingDirectory } from './root-stage.ts';
import { appendTerminal, appendTerminalStdio } from './terminal-stage.ts';

export function containerPlan(input: LaunchInput): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-monitor');
  const joiner = appendMonitorStage(plan, input);
  plan.place(joiner);
  // Kept open beyond the monitor's death, it would look as if somebody listened.
  plan.call('close', [FD.listen], "close the monitor's socket", { ignore: true });
  appendJoinerStage(plan, input);
  appendContainerStage(plan, input, 'piped');
  return plan;
}

/**
 * What the container's first process does. Its stdio: `piped` through the monitor (or a terminal), or `inherited` as it is.
 */
export function appendContainerStage(plan: LaunchPlan, input: ContainerInput, stdio: 'piped' | 'inherited'): void {
  const { spec } = input;
  const { process, linux = {} } = spec;
  if (process === undefined) throw new TypeError('a container needs a process');

  input.configureNetwork?.(plan);
  plan.pseudo('note', [0], 'report');
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word to go', { nonzero: true });

  appendRootMount(plan, input);
  appendMountStage(plan, spec.mounts ?? []);
  appendDeviceStage(plan);
  if (process.terminal === true) {
    appendTerminal(plan, process, FD.masterSend);
    appendConsole(plan);
  }
  appendHideStage(plan, linux);
  appendWorkingDirectory(plan, process.cwd);
  if (spec.root?.readonly === true) appendReadonlyRoot(plan);
  if (process.oomScoreAdj !== undefined) setOomScore(plan, process.oomScoreAdj);
  appendPivot(plan);

  if (spec.hostname !== undefined) {
    plan.call('sethostname', [spec.hostname, Buffer.byteLength(spec.hostname)], `set the hostname ${spec.hostname}`);
  }
  if (spec.domainname !== undefined) {
    plan.call('setdomainname', [spec.domainname, Buffer.byteLength(spec.domainname)], 'set the domain name');
  }
  appendLimits(plan, process);
  plan.call('setsid', [], 'start a session');
  if (process.terminal === true) {
    appendTerminalStdio(plan);
  } else if (stdio === 'piped') {
    for (const [to, from] of [FD.stdinRead, FD.stdoutWrite, FD.stderrWrite].entries()) {
      plan.call('dup3', [from, to, 0], 'set stdin, stdout and stderr');
    }
  }
  appendProcessStage(plan, {
    process,
    seccomp: input.seccomp,
    init: input.init,
    keepGroups: input.keepGroups,
    endsWithParent: true,
  });
}

function setOomScore(plan: LaunchPlan, score: number): void {
  const file = plan.call(
    'openat',
    [AT_FDCWD, '/proc/self/oom_score_adj', O.WRONLY | O.CLOEXEC, 0],
    'open oom_score_adj',
  );
  plan.call('write', [file, String(score), String(score).length], `set the OOM score to ${score}`);
}
