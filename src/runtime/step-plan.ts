/**
 * The launch plan of a build's RUN instruction: a container that has no name, no log and no life beyond whoever started it.
 *
 *   waiter     host namespaces  clones the joiner; reports how the program ended; dies with its parent, and all with it
 *   joiner     the holder's     clones the container's first process with CLONE_PARENT
 *   container  its own          as any container's; stdin, stdout and stderr are the waiter's
 */
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD } from '../monitor/plan-layout.ts';
import { PR, SIGCHLD, SIGKILL } from '../sys/linux-constants.ts';
import { appendContainerStage } from './container-plan.ts';
import { appendJoinerStage } from './joiner-stage.ts';
import type { ContainerInput } from './launch-input.ts';

export function stepPlan(input: ContainerInput): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-step');
  plan.call('prctl', [PR.SET_PDEATHSIG, SIGKILL, 0, 0, 0], 'end with the agent');
  const joiner = new Label();
  const pid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], joiner, 'clone a process');
  for (const fd of [0, 1, 2, PLAN_FD]) plan.call('close', [fd], 'close file descriptors', { ignore: true });
  plan.pseudo('reap', [pid], 'wait for the program');

  plan.place(joiner);
  appendJoinerStage(plan, input);
  appendContainerStage(plan, input, 'inherited');
  return plan;
}
