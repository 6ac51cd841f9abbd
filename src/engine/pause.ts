/**
 * `pause` and `unpause`. A cgroup of the container's own is frozen by the kernel. Without one, every process of its pid
 * namespace is stopped by a signal; `unpause` then wakes those, too, that the container itself had stopped.
 */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import { processIdentity } from '../sys/process-identity.ts';
import { signalProcess } from '../sys/signal-process.ts';
import { readContainer, type Container } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveState, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { watchHealth, stopHealthChecks } from './health-monitor.ts';
import { containerProcesses } from './processes.ts';

/** How long processes may take to stop: one that the kernel holds in a system call stops when that returns. */
const PATIENCE = 10_000;

/** Freezes a running container. Throws CONFLICT where it does not run or is paused already. */
export async function pauseContainer(context: EngineContext, id: string): Promise<void> {
  await context.exclusive(id, async () => {
    const container = runningContainer(context, id);
    if (container.state.paused === true) throw new EngineError('CONFLICT', `Container ${id} is already paused`);
    // On record first: were we killed in between, `unpause` still undoes it.
    saveState(container, { ...container.state, paused: true });
    try {
      await stopProcesses(container);
    } catch (error) {
      resumeProcesses(container);
      throw error;
    }
    stopHealthChecks(context, id);
    recordContainerEvent(context, container.config, 'pause');
  });
}

/** Lets a paused container run on. Throws CONFLICT where it is not paused. */
export async function unpauseContainer(context: EngineContext, id: string): Promise<void> {
  await context.exclusive(id, () => {
    const container = runningContainer(context, id);
    if (container.state.paused !== true) throw new EngineError('CONFLICT', `Container ${id} is not paused`);
    resumeProcesses(container);
    watchHealth(context, container, true);
    recordContainerEvent(context, container.config, 'unpause');
    return Promise.resolve();
  });
}

function runningContainer(context: EngineContext, id: string): Container {
  const container = readContainer(context.paths, id);
  if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
  if (container.state.status === 'restarting') {
    throw new EngineError('CONFLICT', `Container ${id} is restarting, wait until the container is running`);
  }
  if (container.state.status !== 'running') throw new EngineError('CONFLICT', `Container ${id} is not running`);
  return container;
}

async function stopProcesses({ state, config }: Container): Promise<void> {
  if (state.cgroup !== undefined && (await new ContainerCgroup(state.cgroup).freeze(PATIENCE))) return;
  const deadline = performance.now() + PATIENCE;
  // What runs may fork: only when a look at all of them finds every one stopped has nothing escaped.
  while (!signalAll(state.process!.pid, constants.signals.SIGSTOP)) {
    if (performance.now() > deadline) {
      throw new EngineError('FAILED', `Cannot pause container ${config.id}: its processes do not stop`);
    }
    await sleep(5);
  }
}

/** Lets the processes run on and takes the pause off the record. */
export function resumeProcesses(container: Container): void {
  const { state } = container;
  if (state.cgroup !== undefined) new ContainerCgroup(state.cgroup).thaw();
  if (state.process !== undefined) signalAll(state.process.pid, constants.signals.SIGCONT);
  saveState(container, { ...state, paused: false });
}

/** Signals every process that needs it; tells whether none did. */
function signalAll(first: number, signal: number): boolean {
  let isDone = true;
  for (const { pid, state } of containerProcesses(first)) {
    // proc(5): T stopped, t stopped by a tracer, Z and X gone.
    const isStopped = 'TtZX'.includes(state);
    if (isStopped === (signal === constants.signals.SIGSTOP)) continue;
    const identity = processIdentity(pid);
    if (identity !== undefined && signalProcess(identity, signal)) isDone = false;
  }
  return isDone;
}
