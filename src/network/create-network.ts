/** A new network from what a user asked for: checked, in Docker's words, and with everything chosen that was left open. */
import { randomBytes } from 'node:crypto';
import { chooseSubnet } from './host-routes.ts';
import {
  contains,
  formatAddress,
  formatSubnet,
  lastAddress,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './ipv4.ts';
import { contains6, formatAddress6, formatSubnet6, overlaps6, parseAddress6, parseSubnet6 } from './ipv6.ts';
import { NetworkError } from './network-error.ts';
import { parseNetworkOptions } from './network-options.ts';
import type { NetworkRecord } from './records.ts';

/** What `network create` says. Addresses and subnets as text, of both versions. */
export interface NetworkRequest {
  readonly name: string;
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
  readonly ipRanges: readonly string[];
  readonly auxAddresses: Readonly<Record<string, string>>;
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** What is taken already. */
export interface Surroundings {
  readonly networks: readonly NetworkRecord[];
  /** Subnets that the host itself uses. */
  readonly routes: readonly Subnet[];
  /** Addresses of the host's resolvers. */
  readonly resolvers: readonly string[];
}

/** Docker's rule; the length is ours, for files are named so. */
const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** Networks that always are, and cannot be made or removed. */
export const predefinedNetworks = ['bridge', 'host', 'none'] as const;

/** Drivers of Docker's that there cannot be, and why. */
const impossibleDrivers: Readonly<Record<string, string>> = {
  macvlan: "it puts containers on the host's own link, which takes CAP_NET_ADMIN over the host's interfaces",
  ipvlan: "it puts containers on the host's own link, which takes CAP_NET_ADMIN over the host's interfaces",
  overlay: 'it joins several hosts of a swarm, and trun works on one',
};

/** The record of a new network. Throws NetworkErrors: INVALID, CONFLICT, UNSUPPORTED. */
export function createNetworkRecord(request: NetworkRequest, surroundings: Surroundings): NetworkRecord {
  const { name, internal, attachable, labels, options, auxAddresses } = request;
  checkName(name, surroundings.networks);
  checkDriver(request.driver);
  const { mtu } = parseNetworkOptions(options);
  const subnet = chooseOwnSubnet(request, surroundings);
  const gateway = chooseGateway(request, subnet);
  const range = findRange(request, subnet);
  checkAuxAddresses(request, subnet, gateway);
  return {
    name,
    id: randomBytes(32).toString('hex'),
    driver: 'bridge',
    subnet: formatSubnet(subnet),
    gateway: formatAddress(gateway),
    ...chooseSubnet6(request, surroundings, subnet),
    ...(range === undefined ? {} : { ipRange: formatSubnet(range) }),
    auxAddresses,
    mtu,
    internal,
    attachable,
    labels,
    options,
    created: new Date().toISOString(),
  };
}

function checkName(name: string, networks: readonly NetworkRecord[]): void {
  if (!validName.test(name)) {
    throw new NetworkError(
      'INVALID',
      `invalid network name "${name}": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, and at most 128 of them`,
    );
  }
  if ((predefinedNetworks as readonly string[]).includes(name) || name === 'default') {
    throw new NetworkError('CONFLICT', `operation is not permitted on predefined ${name} network`);
  }
  if (networks.some((network) => network.name === name)) {
    throw new NetworkError('CONFLICT', `network with name ${name} already exists`);
  }
}

function checkDriver(driver: string): void {
  if (driver === 'bridge') return;
  if (driver === 'host' || driver === 'null' || driver === 'none') {
    throw new NetworkError(
      'CONFLICT',
      `only one instance of "${driver === 'none' ? 'null' : driver}" network is allowed`,
    );
  }
  const reason = Object.hasOwn(impossibleDrivers, driver) ? impossibleDrivers[driver] : undefined;
  if (reason === undefined) throw new NetworkError('NOT_FOUND', `plugin "${driver}" not found`);
  throw new NetworkError(
    'UNSUPPORTED',
    `network driver ${driver} is not supported without root: ${reason}; use bridge`,
  );
}

function chooseOwnSubnet(request: NetworkRequest, { networks, routes, resolvers }: Surroundings): Subnet {
  const given = request.subnets.filter((text) => !text.includes(':'));
  if (given.length > 1) throw new NetworkError('INVALID', 'a network has one IPv4 subnet');
  const taken = networks.flatMap((network) => parseSubnet(network.subnet) ?? []);
  const [text] = given;
  if (text === undefined) {
    if (request.ipRanges.some((range) => !range.includes(':')) || request.gateways.some((each) => !each.includes(':')))
      throw new NetworkError('INVALID', 'no matching subnet for range or gateway: give the --subnet as well');
    const chosen = chooseSubnet([...taken, ...routes], resolvers);
    if (chosen !== undefined) return chosen;
    throw new NetworkError('CONFLICT', 'all predefined address pools have been fully subnetted');
  }
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new NetworkError('INVALID', `invalid CIDR address: ${text}`);
  if (subnet.prefixLength > 30) throw new NetworkError('INVALID', `subnet ${text} has no room for a container`);
  if (taken.some((other) => overlaps(other, subnet))) {
    throw new NetworkError('CONFLICT', 'invalid pool request: Pool overlaps with other one on this address space');
  }
  return subnet;
}

function chooseGateway({ gateways }: NetworkRequest, subnet: Subnet): number {
  const given = gateways.filter((text) => !text.includes(':'));
  if (given.length > 1) throw new NetworkError('INVALID', 'a network has one IPv4 gateway');
  const [text] = given;
  if (text === undefined) return subnet.base + 1;
  const gateway = parseAddress(text);
  if (gateway === undefined) throw new NetworkError('INVALID', `invalid gateway address: ${text}`);
  if (!contains(subnet, gateway)) throw new NetworkError('INVALID', `no matching subnet for gateway ${text}`);
  if (gateway === subnet.base || gateway === lastAddress(subnet))
    throw new NetworkError('INVALID', `gateway ${text} is no host's address of ${formatSubnet(subnet)}`);
  return gateway;
}

function findRange({ ipRanges }: NetworkRequest, subnet: Subnet): Subnet | undefined {
  const given = ipRanges.filter((text) => !text.includes(':'));
  if (given.length !== ipRanges.length) throw new NetworkError('INVALID', 'trun has no --ip-range for IPv6');
  if (given.length > 1) throw new NetworkError('INVALID', 'a network has one range of addresses');
  const [text] = given;
  if (text === undefined) return undefined;
  const range = parseSubnet(text);
  if (range === undefined) throw new NetworkError('INVALID', `invalid CIDR address: ${text}`);
  if (!contains(subnet, range.base) || !contains(subnet, lastAddress(range)))
    throw new NetworkError('INVALID', `no matching subnet for range ${text}`);
  return range;
}

function checkAuxAddresses({ auxAddresses }: NetworkRequest, subnet: Subnet, gateway: number): void {
  for (const [name, text] of Object.entries(auxAddresses)) {
    const address = parseAddress(text);
    if (address === undefined || !contains(subnet, address))
      throw new NetworkError('INVALID', `no matching subnet for aux-address ${name}=${text}`);
    if (address === gateway)
      throw new NetworkError(
        'CONFLICT',
        `failed to allocate secondary ip address (${name}:${text}): Address already in use`,
      );
  }
}

/** IPv6 where it is asked for: the given subnet, or a random one that is unique by chance (RFC 4193, 3.2). */
function chooseSubnet6(
  request: NetworkRequest,
  { networks }: Surroundings,
  subnet4: Subnet,
): Pick<NetworkRecord, 'subnet6' | 'gateway6'> {
  const given = request.subnets.filter((text) => text.includes(':'));
  const gateways = request.gateways.filter((text) => text.includes(':'));
  if (given.length > 1 || gateways.length > 1) throw new NetworkError('INVALID', 'a network has one IPv6 subnet');
  if (!request.ipv6) {
    if (given.length + gateways.length === 0) return {};
    throw new NetworkError('INVALID', 'an IPv6 subnet or gateway takes --ipv6');
  }
  const text = given[0] ?? `${formatAddress6(randomPrefix())}/64`;
  const subnet = parseSubnet6(text);
  if (subnet === undefined) throw new NetworkError('INVALID', `invalid CIDR address: ${text}`);
  // A container's address is the subnet's base and its place in the IPv4 subnet.
  if (128 - subnet.prefixLength < 33 - subnet4.prefixLength)
    throw new NetworkError('INVALID', `subnet ${text} has fewer addresses than ${formatSubnet(subnet4)}`);
  const others = networks.flatMap(({ subnet6 }) => (subnet6 === undefined ? [] : (parseSubnet6(subnet6) ?? [])));
  if (others.some((other) => overlaps6(other, subnet)))
    throw new NetworkError('CONFLICT', 'invalid pool request: Pool overlaps with other one on this address space');
  const gateway = gateways[0] === undefined ? subnet.base + 1n : parseAddress6(gateways[0]);
  if (gateway === undefined) throw new NetworkError('INVALID', `invalid gateway address: ${gateways[0] ?? ''}`);
  if (!contains6(subnet, gateway) || gateway === subnet.base)
    throw new NetworkError('INVALID', `no matching subnet for gateway ${formatAddress6(gateway)}`);
  return { subnet6: formatSubnet6(subnet), gateway6: formatAddress6(gateway) };
}

/** fd00::/8, 40 random bits for the site, and subnet 0. */
function randomPrefix(): bigint {
  return (0xfdn << 120n) | (BigInt(`0x${randomBytes(5).toString('hex')}`) << 80n);
}
