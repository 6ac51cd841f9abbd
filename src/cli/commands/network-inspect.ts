import { findNetwork, inspectNetwork } from '../../engine/inspect-networks.ts';
import { ANY, defineCommand } from '../command.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  flags: {
    format: INSPECT_FORMAT,
    verbose: { kind: 'boolean', short: 'v', help: 'Verbose output for diagnostics' },
  },
  args: [1, ANY],
  run(context, { format }, names) {
    const paths = context.paths();
    return inspectEach(context, names, format, (name) => inspectNetwork(paths, findNetwork(paths, name)));
  },
});
