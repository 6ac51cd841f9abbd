/** Ending containers, by signals to their first process. */
import { constants } from 'node:os';
import { isAlive } from '../sys/process-identity.ts';
import { signalProcess } from '../sys/signal-process.ts';
import { readContainer, type Container, type ContainerConfig } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveState, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { resumeProcesses } from './pause.ts';

const DEFAULT_TIMEOUT = 10;

/** The number of a signal as users write it: `TERM`, `SIGTERM`, `15`. Throws INVALID in Docker's words. */
export function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= 64) return number;
  }
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const number = (constants.signals as Readonly<Record<string, number | undefined>>)[name] ?? realTimeSignal(name);
  if (number === undefined) throw new EngineError('INVALID', `Invalid signal: ${text}`);
  return number;
}

/** signal(7): SIGRTMIN is 34 for programs, for libc keeps two. */
function realTimeSignal(name: string): number | undefined {
  const [, from, sign, offset] = /^SIG(RTMIN|RTMAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (from === undefined) return undefined;
  const number = (from === 'RTMIN' ? 34 : 64) + (sign === '-' ? -1 : 1) * Number(offset ?? 0);
  return number >= 34 && number <= 64 ? number : undefined;
}

/** The signal that asks a container to end; the default where an image names one that there is not. */
function stopSignal({ stopSignal: text = 'SIGTERM' }: ContainerConfig): number {
  try {
    return signalNumber(text);
  } catch {
    return constants.signals.SIGTERM;
  }
}

/**
 * `kill`: sends a signal to a running container's first process. One that asks it to end, or ends it, is the end of its
 * restart policy, too. Throws CONFLICT where it does not run.
 */
export async function killContainer(context: EngineContext, id: string, signal: number): Promise<void> {
  const container = readContainer(context.paths, id);
  if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
  const isEnd = signal === constants.signals.SIGKILL || signal === stopSignal(container.config);
  if (isEnd && container.state.status === 'restarting' && (await giveUpRestart(context, id))) return;
  if (isEnd) markStopped(container);
  await sendSignal(context, container, signal);
}

/** Sends it and tells so. What is paused gets it by running on, as in Docker. */
async function sendSignal(context: EngineContext, container: Container, signal: number): Promise<void> {
  const { config, state } = container;
  const { process: first } = state;
  if (state.status !== 'running' || first === undefined || !signalProcess(first, signal)) {
    throw new EngineError('CONFLICT', `cannot kill container: ${config.name}: container ${config.id} is not running`);
  }
  recordContainerEvent(context, config, 'kill', { signal: String(signal) });
  if (state.paused === true) {
    await context.exclusive(config.id, () => {
      const now = readContainer(context.paths, config.id);
      if (now?.state.paused === true) resumeProcesses(now);
      return Promise.resolve();
    });
  }
}

/** On record before the signal goes out: the next agent must not take the end for one of the container's own. */
function markStopped(container: Container): void {
  const { config, state } = container;
  if (state.status !== 'running' || (config.request.restart?.name ?? 'no') === 'no') return;
  saveState(container, { ...state, isStopped: true });
}

/** Lets a container that waits for its restart be. Returns false where it does not wait any more. */
async function giveUpRestart(context: EngineContext, id: string): Promise<boolean> {
  return context.exclusive(id, () => {
    const container = readContainer(context.paths, id);
    if (container?.state.status !== 'restarting') return Promise.resolve(false);
    const letGo = context.restarts.cancel(id);
    const { count, delay } = container.state.restarts ?? { count: 0, delay: 0 };
    const state = { ...container.state, status: 'exited', isStopped: true, restarts: { count, delay } } as const;
    saveState(container, state);
    letGo?.();
    context.events.emit('ended', id, state);
    return Promise.resolve(true);
  });
}

/** What `awaitEnd` waits for. `next-exit`: its end, though it may be started again. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Settles with the exit code when the container has ended and is on record as ended, and waits for no restart; at once
 * where it does not run (but for `next-exit`, which waits for the end of a start to come).
 */
export function awaitEnd(
  context: EngineContext,
  id: string,
  condition: WaitCondition = 'not-running',
): Promise<number> {
  const container = readContainer(context.paths, id);
  if (container === undefined) return Promise.reject(new EngineError('NOT_FOUND', `No such container: ${id}`));
  const { status, process: first } = container.state;
  // On record as running, a start is in its last steps before it is among those that run.
  const isUp = context.running.has(id) || status === 'restarting' || (status === 'running' && isAlive(first));
  if (condition === 'not-running' && !isUp) return Promise.resolve(container.state.exitCode ?? 0);
  return new Promise((resolve) => {
    let code = container.state.exitCode ?? 0;
    function finish(): void {
      context.events.off('ended', onEnd);
      context.events.off('removed', onRemoval);
      resolve(code);
    }
    function onEnd(ended: string, { status, exitCode = 0 }: { status: string; exitCode?: number }): void {
      if (ended !== id) return;
      code = exitCode;
      if (condition === 'next-exit' || (condition === 'not-running' && status !== 'restarting')) finish();
    }
    function onRemoval(removed: string): void {
      if (removed === id) finish();
    }
    context.events.on('ended', onEnd);
    context.events.on('removed', onRemoval);
  });
}

export interface StopOptions {
  /** Seconds until it is killed; negative: never. */
  readonly timeout?: number;
  readonly signal?: string;
}

/** Asks a container to end, and kills it when it does not in time. Nothing where it does not run. */
export async function stopContainer(context: EngineContext, id: string, options: StopOptions): Promise<void> {
  if (readContainer(context.paths, id)?.state.status === 'restarting' && (await giveUpRestart(context, id))) return;
  const container = readContainer(context.paths, id);
  if (container?.state.status !== 'running') return;
  const timeout = options.timeout ?? container.config.request.stopTimeout ?? DEFAULT_TIMEOUT;
  const signal = options.signal === undefined ? stopSignal(container.config) : signalNumber(options.signal);
  const ended = awaitEnd(context, id);
  markStopped(container);
  await signalUnlessEnded(context, container, signal);
  if (timeout >= 0 && !(await endsWithin(ended, timeout * 1000))) await killAndWait(context, id);
  await ended;
  recordContainerEvent(context, container.config, 'stop');
}

async function signalUnlessEnded(context: EngineContext, container: Container, signal: number): Promise<void> {
  try {
    await sendSignal(context, container, signal);
  } catch (error) {
    // It ended by itself just now.
    if (!(error instanceof EngineError && error.code === 'CONFLICT')) throw error;
  }
}

async function endsWithin(ended: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([ended.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a container for good, whether it runs or waits for its restart. */
export async function killAndWait(context: EngineContext, id: string): Promise<void> {
  if (readContainer(context.paths, id)?.state.status === 'restarting' && (await giveUpRestart(context, id))) return;
  const container = readContainer(context.paths, id);
  if (container?.state.status !== 'running') return;
  const ended = awaitEnd(context, id);
  markStopped(container);
  await signalUnlessEnded(context, container, constants.signals.SIGKILL);
  await ended;
}
