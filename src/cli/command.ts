/** What a command is, and what it is given to work with. */
import type { Answer } from '../agent/client.ts';
import type { RequestName, Requests } from '../engine/requests.ts';
import type { StatePaths } from '../state/paths.ts';
import type { FlagTable, FlagValues } from './flags/flag.ts';

/** The world around a command; tests bring their own. */
export interface CommandContext {
  /** The command as typed, without `trun`: `run`, `container ls`. */
  readonly command: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly now: Date;
  /** Opens the state folder, making it where there is none. */
  paths(): StatePaths;
  /** Asks the user's agent, which is started where there is none. Throws the engine's error. */
  ask<Name extends RequestName>(method: Name, params: Requests[Name]['params']): Promise<Requests[Name]['result']>;
  /** The same, for requests after whose result more comes. */
  open<Name extends RequestName>(method: Name, params: Requests[Name]['params']): Promise<Answer<Name>>;
  /** Prints a line to standard output. */
  print(line: string): void;
  printLines(lines: readonly string[]): void;
  /** Prints `trun: <message>` to standard error. */
  complain(message: string): void;
}

export interface Command<T extends FlagTable = FlagTable> {
  /** What follows the command's name: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string;
  readonly summary: string;
  /** More for the help than the summary says. */
  readonly details?: string;
  readonly flags: T;
  /** Least and greatest number of arguments. */
  readonly args: readonly [least: number, most: number];
  /** Whether flags may follow arguments: not where the arguments are a command line of their own. */
  readonly interspersed?: boolean;
  /** Exit status of errors, where it is not 1. */
  readonly failure?: number;
  /** Exit status of errors of the engine, for the commands that tell them apart. */
  readonly failures?: Readonly<Partial<Record<string, number>>>;
  /** Resolves to the exit status; nothing is success. */
  run(context: CommandContext, flags: FlagValues<T>, args: readonly string[]): Promise<number | undefined>;
}

/** Types a command by its flag table. */
export function defineCommand<const T extends FlagTable>(command: Command<T>): Command<T> {
  return command;
}

/** For commands that take any number of arguments. */
export const ANY = Number.POSITIVE_INFINITY;
