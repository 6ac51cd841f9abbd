import { parseLabel } from '../../oci/options/label.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import type { Flag } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';

const SWARM = 'there is no swarm';

const flags = {
  attachable: { kind: 'boolean', help: 'Enable manual container attachment' },
  'aux-address': { kind: 'list', type: 'map', help: 'Auxiliary IPv4 addresses used by Network driver' },
  'config-from': { kind: 'text', help: '', unsupported: SWARM },
  'config-only': { kind: 'boolean', help: '', unsupported: SWARM },
  driver: { kind: 'text', short: 'd', help: 'Driver to manage the Network', preset: 'bridge' },
  gateway: { kind: 'list', help: 'IPv4 or IPv6 Gateway for the subnet' },
  ingress: { kind: 'boolean', help: '', unsupported: SWARM },
  internal: { kind: 'boolean', help: 'Restrict external access to the network' },
  'ip-range': { kind: 'list', help: 'Allocate container ip from a sub-range' },
  'ipam-driver': { kind: 'text', help: 'IP Address Management Driver', preset: 'default' },
  'ipam-opt': { kind: 'list', help: '', unsupported: 'the default IPAM driver has no options' },
  ipv4: { kind: 'boolean', preset: true, help: 'Enable or disable IPv4 address assignment' },
  ipv6: { kind: 'boolean', help: 'Enable or disable IPv6 address assignment' },
  label: { kind: 'list', help: 'Set metadata on a network' },
  opt: { kind: 'list', type: 'map', short: 'o', help: 'Set driver specific options (mtu=BYTES)' },
  scope: { kind: 'text', help: '', unsupported: SWARM },
  subnet: { kind: 'list', help: 'Subnet in CIDR format that represents a network segment' },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  flags,
  args: [1, 1],
  async run(context, values, [name]) {
    if (!values.ipv4) throw new InvalidInput('trun has no networks without IPv4');
    if (values['ipam-driver'] !== 'default') throw new InvalidInput('trun has the default IPAM driver alone');
    const { id } = await context.ask('createNetwork', {
      request: {
        name: name!,
        driver: values.driver,
        subnets: values.subnet,
        gateways: values.gateway,
        ipRanges: values['ip-range'],
        auxAddresses: pairs('aux-address', values['aux-address']),
        ipv6: values.ipv6,
        internal: values.internal,
        attachable: values.attachable,
        labels: Object.fromEntries(values.label.map((text) => decodeFlag(flags, 'label', text, parseLabel))),
        options: pairs('opt', values.opt),
      },
    });
    context.print(id);
    return 0;
  },
});

function pairs(flag: keyof typeof flags, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => decodeFlag(flags, flag, text, parsePair)));
}

function parsePair(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidInput(`it has to be NAME=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
