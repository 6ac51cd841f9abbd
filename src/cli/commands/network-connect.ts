import { parseIp, parseIp6, parseLink } from '../../oci/options/network.ts';
import { defineCommand } from '../command.ts';
import type { Flag } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';

const flags = {
  alias: { kind: 'list', help: 'Add network-scoped alias for the container' },
  'driver-opt': { kind: 'list', help: '', unsupported: 'the bridge driver has no options of containers' },
  'gw-priority': { kind: 'text', help: '', unsupported: 'yet' },
  ip: { kind: 'text', help: 'IPv4 address (e.g., "172.30.100.104")' },
  ip6: { kind: 'text', help: 'IPv6 address (e.g., "2001:db8::33")' },
  link: { kind: 'list', help: 'Add link to another container' },
  'link-local-ip': { kind: 'list', help: '', unsupported: 'yet' },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  flags,
  args: [2, 2],
  async run(context, { alias, ip, ip6, link }, [network, container]) {
    const links = link.map((text) => decodeFlag(flags, 'link', text, parseLink));
    await context.ask('connectNetwork', {
      container: container!,
      attachment: {
        network: network!,
        ...(alias.length === 0 ? {} : { aliases: alias }),
        ...(ip === undefined ? {} : { address: decodeFlag(flags, 'ip', ip, parseIp) }),
        ...(ip6 === undefined ? {} : { address6: decodeFlag(flags, 'ip6', ip6, parseIp6) }),
        ...(links.length === 0 ? {} : { links: Object.fromEntries(links.map((each) => [each.alias, each.container])) }),
      },
    });
    return 0;
  },
});
