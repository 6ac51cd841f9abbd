/** What the flags of `run` and `create` say about networks, as attachments. */
import type { NetworkAttachment } from '../../engine/container.ts';
import { parseIp, parseIp6, parseLink, parseMacAddress, parseNetwork } from '../../oci/options/network.ts';
import type { FlagValues } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { UsageError } from '../flags/usage-error.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';

export type NetworkFlags = Pick<
  FlagValues<typeof CONTAINER_FLAGS>,
  'net' | 'network' | 'net-alias' | 'network-alias' | 'ip' | 'ip6' | 'mac-address' | 'link'
>;

/** The networks in the order in which they were given, at least one. Throws UsageError. */
export function networkAttachments(flags: NetworkFlags): NetworkAttachment[] {
  const given = [...flags.net, ...flags.network].map((text) =>
    decodeFlag(CONTAINER_FLAGS, 'network', text, parseNetwork),
  );
  const [first = { network: 'bridge' }, ...others] = given.map((option) =>
    option.network === 'default' ? { ...option, network: 'bridge' } : option,
  );
  return [withFlags(first, flags), ...others];
}

/** The flags beside `--network` are about the first one. */
function withFlags(first: NetworkAttachment, flags: NetworkFlags): NetworkAttachment {
  const { network } = first;
  const aliases = [...flags['net-alias'], ...flags['network-alias']];
  const links = flags.link.map((text) => decodeFlag(CONTAINER_FLAGS, 'link', text, parseLink));
  const sharing = network.startsWith('container:') || network === 'host';
  if (sharing && aliases.length > 0) throw new UsageError('conflicting options: network-alias and the network mode');
  if (sharing && links.length > 0)
    throw new UsageError(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  if (network.startsWith('container:') && flags['mac-address'] !== undefined)
    throw new UsageError('conflicting options: mac-address and the network mode');
  return {
    ...first,
    ...(aliases.length === 0 ? {} : { aliases: [...exclusive(first.aliases, 'network-alias'), ...aliases] }),
    ...one('address', flags.ip, 'ip', first, parseIp),
    ...one('address6', flags.ip6, 'ip6', first, parseIp6),
    ...one('mac', flags['mac-address'], 'mac-address', first, parseMacAddress),
    ...(links.length === 0
      ? {}
      : { links: Object.fromEntries(links.map(({ alias, container }) => [alias, container])) }),
  };
}

function one(
  key: 'address' | 'address6' | 'mac',
  text: string | undefined,
  flag: keyof NetworkFlags,
  first: NetworkAttachment,
  parse: (text: string) => string,
): Partial<NetworkAttachment> {
  if (text === undefined) return {};
  exclusive(first[key], flag);
  return { [key]: decodeFlag(CONTAINER_FLAGS, flag, text, parse) };
}

function exclusive<T>(given: readonly T[] | string | undefined, flag: string): readonly T[] {
  if (given !== undefined)
    throw new UsageError(`conflicting options: cannot specify both --${flag} and its per-network field`);
  return [];
}
