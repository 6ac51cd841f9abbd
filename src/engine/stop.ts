/** Ending containers, by signals to their first process. */
import { constants } from 'node:os';
import { signalProcess } from '../sys/signal-process.ts';
import { readContainer, type Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';

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

/** Sends a signal to a running container's first process. Throws CONFLICT where it does not run. */
export function signalContainer({ config, state }: Container, signal: number): void {
  const { process: first } = state;
  const notRunning = new EngineError(
    'CONFLICT',
    `cannot kill container: ${config.name}: container ${config.id} is not running`,
  );
  if (state.status !== 'running' || first === undefined) throw notRunning;
  if (!signalProcess(first, signal)) throw notRunning;
}

/** Settles when the container has ended and is on record as ended, with its exit code; at once where it does not run. */
export function awaitEnd(context: EngineContext, id: string): Promise<number> {
  const container = readContainer(context.paths, id);
  if (container === undefined) return Promise.reject(new EngineError('NOT_FOUND', `No such container: ${id}`));
  if (!context.running.has(id)) return Promise.resolve(container.state.exitCode ?? 0);
  return new Promise((resolve) => {
    function listener(ended: string, { exitCode = 0 }: { exitCode?: number }): void {
      if (ended !== id) return;
      context.events.off('ended', listener);
      resolve(exitCode);
    }
    context.events.on('ended', listener);
  });
}

export interface StopOptions {
  /** Seconds until it is killed; negative: never. */
  readonly timeout?: number;
  readonly signal?: string;
}

/** Asks a container to end, and kills it when it does not in time. Nothing where it does not run. */
export async function stopContainer(context: EngineContext, id: string, options: StopOptions): Promise<void> {
  const container = readContainer(context.paths, id);
  if (container === undefined || container.state.status !== 'running') return;
  const { request } = container.config;
  const timeout = options.timeout ?? request.stopTimeout ?? DEFAULT_TIMEOUT;
  const ended = awaitEnd(context, id);
  try {
    signalContainer(container, signalNumber(options.signal ?? request.stopSignal ?? 'SIGTERM'));
  } catch (error) {
    // It ended by itself just now.
    if (!(error instanceof EngineError && error.code === 'CONFLICT')) throw error;
  }
  if (timeout >= 0 && !(await endsWithin(ended, timeout * 1000))) await killAndWait(context, id);
  await ended;
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

export async function killAndWait(context: EngineContext, id: string): Promise<void> {
  const container = readContainer(context.paths, id);
  if (container === undefined || container.state.status !== 'running') return;
  const ended = awaitEnd(context, id);
  try {
    signalContainer(container, constants.signals.SIGKILL);
  } catch (error) {
    if (!(error instanceof EngineError && error.code === 'CONFLICT')) throw error;
  }
  await ended;
}
