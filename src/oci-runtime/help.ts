import { flagHelp } from '../cli/flags/flag-help.ts';
import type { RuntimeCommand } from './command.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';

const WIDTH = 100;

export async function globalHelp(commands: Readonly<Record<string, () => Promise<RuntimeCommand>>>): Promise<string> {
  const usages = await Promise.all(Object.values(commands).map(async (load) => `  ${(await load()).usage}`));
  return [
    'Usage: trun-oci [OPTIONS] COMMAND',
    '',
    'An OCI runtime: the commands of runc and crun, for engines to call',
    '',
    'Options:',
    flagHelp(GLOBAL_FLAGS, WIDTH),
    '',
    'Commands:',
    ...usages,
  ].join('\n');
}

export function commandHelp({ usage, flags }: RuntimeCommand): string {
  const options = Object.keys(flags).length === 0 ? [] : ['', 'Options:', flagHelp(flags, WIDTH)];
  return [`Usage: trun-oci ${usage}`, ...options].join('\n');
}
