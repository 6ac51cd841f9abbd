import { defineCommand } from '../command.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import type { Flag } from '../flags/flag.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { parseLabel } from '../../oci/options/label.ts';

const flags = {
  driver: { kind: 'text', short: 'd', help: 'Specify volume driver name', preset: 'local' },
  label: { kind: 'list', help: 'Set metadata for a volume' },
  opt: { kind: 'list', short: 'o', help: 'Set driver specific options', unsupported: 'local volumes are folders' },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  flags,
  args: [0, 1],
  async run(context, { driver, label }, [name]) {
    decodeFlag(flags, 'driver', driver, checkDriver);
    const labels = Object.fromEntries(label.map((text) => decodeFlag(flags, 'label', text, parseLabel)));
    if (name === '') throw new InvalidInput("the volume's name is empty");
    const volume = await context.ask('createVolume', { ...(name === undefined ? {} : { name }), labels });
    context.print(volume.name);
    return 0;
  },
});

function checkDriver(text: string): void {
  if (text !== 'local') throw new InvalidInput('trun has local volumes alone');
}
