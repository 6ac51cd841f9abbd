/** What a command of the runtime is: its flags, its arguments, its work. */
import type { FlagTable, FlagValues } from '../cli/flags/flag.ts';
import type { Surroundings } from './global-flags.ts';

export interface RuntimeCommand {
  readonly usage: string;
  readonly flags: FlagTable;
  /** Flags may follow arguments; not where the arguments are somebody else's command line. */
  readonly interspersed: boolean;
  readonly args: readonly [least: number, most: number];
  /** Returns the exit status. */
  readonly run: (call: RuntimeCall) => number | Promise<number>;
}

export interface RuntimeCall {
  readonly surroundings: Surroundings;
  readonly args: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Gives a command the types of its flags. */
export function runtimeCommand<T extends FlagTable>(command: {
  readonly usage: string;
  readonly flags: T;
  readonly interspersed?: boolean;
  readonly args: readonly [least: number, most: number];
  readonly run: (call: RuntimeCall & { readonly flags: FlagValues<T> }) => number | Promise<number>;
}): RuntimeCommand {
  return { interspersed: true, ...command, run: command.run as RuntimeCommand['run'] };
}
