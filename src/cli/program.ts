/** From the words after `trun` to an exit status: global flags, the command, its flags, its errors. */
import type { Command } from './command.ts';
import { type CommandEntry, findCommand, findGroup, findInGroup } from './command-table.ts';
import { ENGINE_FAILURE, reportError } from './report-error.ts';
import { type Flag, type FlagTable } from './flags/flag.ts';
import { parseFlags } from './flags/parse-flags.ts';
import { UsageError } from './flags/usage-error.ts';
import { openContext, type Surroundings } from './surroundings.ts';

const GLOBAL_FLAGS = {
  root: {
    kind: 'text',
    help: 'Folder of images, containers and volumes (default "$TRUN_ROOT", or "trun" in the user\'s configuration folder)',
  },
  version: { kind: 'boolean', short: 'v', help: 'Print version information and quit' },
} as const satisfies Record<string, Flag>;

/** Runs one command line. Resolves to the exit status, everything printed; never rejects. */
export async function runProgram(words: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    const { values, args, help } = parseFlags(GLOBAL_FLAGS, words, false);
    if (values.version) {
      const { versionLine } = await import('./commands/version.ts');
      surroundings.stdout.write(`${versionLine()}\n`);
      return 0;
    }
    const [name, ...rest] = args;
    if (help || name === undefined) return await printHelp(surroundings, GLOBAL_FLAGS, []);
    if (name === 'help') return await printHelp(surroundings, GLOBAL_FLAGS, rest);
    const group = findGroup(name);
    if (group === undefined) return await runCommand(findCommand(name), name, rest, values.root, surroundings);
    const [verb, ...own] = rest;
    if (verb === undefined || verb === '--help') return await printHelp(surroundings, GLOBAL_FLAGS, [name]);
    return await runCommand(findInGroup(name, verb), `${name} ${verb}`, own, values.root, surroundings);
  } catch (error) {
    reportError(error, surroundings);
    return error instanceof UsageError ? (error.status ?? ENGINE_FAILURE) : ENGINE_FAILURE;
  }
}

async function runCommand(
  entry: CommandEntry | undefined,
  title: string,
  words: readonly string[],
  root: string | undefined,
  surroundings: Surroundings,
): Promise<number> {
  if (entry === undefined) throw new UsageError(`'${title}' is not a trun command.`);
  const { command } = await entry.load();
  try {
    const { values, args, help } = parseFlags(command.flags, words, command.interspersed ?? true);
    if (help) {
      const { commandHelp, helpWidth } = await import('./help.ts');
      surroundings.stdout.write(commandHelp(title, command, helpWidth(surroundings.stdout)));
      return 0;
    }
    checkCount(title, command, args.length);
    const context = openContext(title, root, surroundings);
    return (await command.run(context, values, args)) ?? 0;
  } catch (error) {
    return reportError(error, surroundings, { title, command });
  }
}

/** Docker's sentences for too few and too many arguments. */
function checkCount(title: string, { args: [least, most] }: Command, count: number): void {
  if (count >= least && count <= most) return;
  const name = `"trun ${title}"`;
  if (most === 0) throw new UsageError(`${name} accepts no arguments.`);
  if (least === most) throw new UsageError(`${name} requires exactly ${numberOf(least)}.`);
  throw new UsageError(
    count < least ? `${name} requires at least ${numberOf(least)}.` : `${name} requires at most ${numberOf(most)}.`,
  );
}

function numberOf(count: number): string {
  return `${count} ${count === 1 ? 'argument' : 'arguments'}`;
}

async function printHelp(surroundings: Surroundings, flags: FlagTable, words: readonly string[]): Promise<number> {
  const { commandHelp, groupHelp, helpWidth, programHelp } = await import('./help.ts');
  const width = helpWidth(surroundings.stdout);
  const [name, verb] = words;
  if (name === undefined) {
    surroundings.stdout.write(programHelp(flags, width));
    return 0;
  }
  const group = findGroup(name);
  if (group !== undefined && verb === undefined) {
    surroundings.stdout.write(groupHelp(name, group));
    return 0;
  }
  const entry = group === undefined ? findCommand(name) : findInGroup(name, verb!);
  const title = group === undefined ? name : `${name} ${verb}`;
  if (entry === undefined) throw new UsageError(`'${title}' is not a trun command.`);
  surroundings.stdout.write(commandHelp(title, (await entry.load()).command, width));
  return 0;
}
