/** Help texts in Docker's style. */
import type { Command } from './command.ts';
import {
  COMMAND_GROUPS,
  type CommandEntry,
  type CommandGroup,
  COMMON_COMMANDS,
  findInGroup,
  findCommand,
  OTHER_COMMANDS,
} from './command-table.ts';
import type { FlagTable } from './flags/flag.ts';
import { flagHelp } from './flags/flag-help.ts';

/** `trun --help` */
export function programHelp(flags: FlagTable, width: number): string {
  return [
    'Usage:  trun [OPTIONS] COMMAND',
    'Run containers as an ordinary user',
    `Common Commands:\n${summaries(COMMON_COMMANDS)}`,
    `Management Commands:\n${summaries(COMMAND_GROUPS)}`,
    `Commands:\n${summaries(OTHER_COMMANDS)}`,
    `Global Options:\n${flagHelp(flags, width)}`,
    "Run 'trun COMMAND --help' for more information on a command.\n",
  ].join('\n\n');
}

/** `trun container --help` */
export function groupHelp(name: string, { summary, commands }: CommandGroup): string {
  return [
    `Usage:  trun ${name} COMMAND`,
    summary,
    `Commands:\n${summaries(commands)}`,
    `Run 'trun ${name} COMMAND --help' for more information on a command.\n`,
  ].join('\n\n');
}

/** `trun run --help` */
export function commandHelp(title: string, command: Command, width: number): string {
  const names = otherNames(title);
  const parts = [
    `Usage:  ${command.usage
      .split('\n')
      .map((line) => `trun ${title} ${line}`)
      .join('\n        ')}`.trimEnd(),
    command.summary,
    ...(command.details === undefined ? [] : [command.details]),
    ...(names.length > 1 ? [`Aliases:\n  ${names.map((name) => `trun ${name}`).join(', ')}`] : []),
  ];
  const options = Object.values(command.flags).some(
    ({ hidden, unsupported }) => hidden !== true && unsupported === undefined,
  );
  if (options) parts.push(`Options:\n${flagHelp(command.flags, width)}`);
  return `${parts.join('\n\n')}\n`;
}

/** Columns to wrap at: the terminal's, else 80. */
export function helpWidth(stdout: { readonly columns?: number }): number {
  return Math.max(stdout.columns ?? 80, 60);
}

function summaries(commands: Readonly<Record<string, CommandEntry | CommandGroup>>): string {
  const indent = Math.max(...Object.keys(commands).map((name) => name.length), 10) + 2;
  return Object.entries(commands)
    .map(([name, { summary }]) => `  ${name.padEnd(indent)}${summary}`)
    .join('\n');
}

/** Every name of the same command, this one included. */
function otherNames(title: string): string[] {
  const [first, second] = title.split(' ') as [string, string?];
  const entry = second === undefined ? findCommand(first) : findInGroup(first, second);
  const grouped = Object.entries(COMMAND_GROUPS).flatMap(([group, { commands }]) =>
    Object.entries(commands).map(([name, each]) => [`${group} ${name}`, each] as const),
  );
  const all = [...grouped, ...Object.entries({ ...COMMON_COMMANDS, ...OTHER_COMMANDS })];
  return all.filter(([, each]) => each === entry).map(([name]) => name);
}
