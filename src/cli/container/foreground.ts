/** A container in the foreground: of `run`, `start -a` and `attach`. */
import { type Answer, AgentGone } from '../../agent/client.ts';
import { attachContainer } from '../../engine/attach.ts';
import { readContainer } from '../../engine/container.ts';
import { EngineError } from '../../engine/engine-error.ts';
import type { CommandContext } from '../command.ts';
import { CommandFailure } from '../command-failure.ts';
import { UsageError } from '../flags/usage-error.ts';
import { RawTerminal } from './raw-terminal.ts';
import type { SignalProxy } from './signal-proxy.ts';

/** Which of our streams are the container's too. */
export interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface Foreground {
  readonly id: string;
  readonly streams: Streams;
  readonly tty: boolean;
  /** Position in the log to begin at; absent: what comes from now on. */
  readonly from?: number;
  readonly detachKeys: string | undefined;
  /** Absent: signals are ours. */
  readonly signals?: SignalProxy | undefined;
  readonly ended: Promise<number>;
  /** Called when all output is written: a container that removes itself waits for it. */
  readonly release?: () => Promise<void>;
}

/** Stays until the container has ended, and resolves to its exit code; or to 0 when the user detaches. */
export async function stayAttached(context: CommandContext, foreground: Foreground): Promise<number> {
  const { id, streams, tty, from, detachKeys, signals, ended } = foreground;
  const container = readContainer(context.paths(), id);
  if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
  signals?.connect((signal) => context.ask('kill', { container: id, signal }));
  using _raw = streams.stdin && tty && context.stdin.isTTY ? new RawTerminal(context.stdin) : undefined;
  const outcome = await attachContainer(context.paths(), container, {
    ...(streams.stdin ? { stdin: context.stdin } : {}),
    ...(streams.stdout ? { stdout: context.stdout } : {}),
    ...(streams.stderr ? { stderr: context.stderr } : {}),
    ...(from === undefined ? {} : { from }),
    ...(detachKeys === undefined ? {} : { detachKeys }),
    ended,
  });
  if (outcome === 'detached') return 0;
  await foreground.release?.();
  return outcome;
}

/** The exit code of a container that was started with `wait`. When the agent is killed meanwhile, its successor knows. */
export async function exitCode(context: CommandContext, id: string, answer?: Answer<'run' | 'start'>): Promise<number> {
  try {
    const { exitCode } = (await answer?.next()) ?? {};
    if (exitCode !== undefined) return exitCode;
  } catch (error) {
    if (!(error instanceof AgentGone)) throw error;
  }
  for (;;) {
    try {
      return (await context.ask('wait', { container: id })).exitCode;
    } catch (error) {
      if (!(error instanceof AgentGone)) throw error;
    }
  }
}

/**
 * The streams that `--attach` and `--interactive` ask for.
 * @param attach values of `--attach`; none: all of them, stdin only if it is open
 */
export function chooseStreams(attach: readonly string[], interactive: boolean): Streams {
  const names = attach.map((text) => text.toLowerCase());
  for (const [i, name] of names.entries()) {
    if (!['stdin', 'stdout', 'stderr'].includes(name)) {
      throw new UsageError(
        `invalid argument "${attach[i]!}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
        125,
      );
    }
  }
  function wants(name: string): boolean {
    return names.length === 0 || names.includes(name);
  }
  return { stdin: interactive && wants('stdin'), stdout: wants('stdout'), stderr: wants('stderr') };
}

/** Docker's check: what a user types into a terminal has to come from one. Throws. */
export function checkTerminal(context: CommandContext, isStdinAttached: boolean, tty: boolean): void {
  if (isStdinAttached && tty && !context.stdin.isTTY) throw new CommandFailure('the input device is not a TTY', 1);
}
