/** What `inspect` shows of a container's networks, and `network inspect` of a network, in Docker's shapes. */
import type { StatePaths } from '../state/paths.ts';
import * as stored from '../network/stored-networks.ts';
import { listNetworks, type KnownNetwork } from '../network/stored-networks.ts';
import { asEngineError } from './network-failure.ts';
import { attachmentsOf, namesOn } from './attachments.ts';
import { type Container, type EndpointState, listContainers, type NetworkAttachment } from './container.ts';

export type { KnownNetwork };
export { listNetworks };

/** The network of that name, id, or beginning of an id. Throws NOT_FOUND or INVALID in Docker's words. */
export function findNetwork(paths: StatePaths, nameOrId: string): KnownNetwork {
  try {
    return stored.findNetwork(paths, nameOrId);
  } catch (error) {
    throw asEngineError(error);
  }
}

type PortList = Record<string, { HostIp: string; HostPort: string }[] | null>;

/** `NetworkSettings` of a container. */
export function networkSettings(paths: StatePaths, container: Container): object {
  const { config, state } = container;
  const network = state.status === 'running' ? state.network : undefined;
  const ports: PortList = {};
  for (const { containerPort, protocol } of config.request.exposed ?? []) ports[`${containerPort}/${protocol}`] = null;
  for (const { containerPort, protocol, hostAddress, hostPort } of network?.ports ?? []) {
    (ports[`${containerPort}/${protocol}`] ??= []).push({ HostIp: hostAddress, HostPort: String(hostPort) });
  }
  // The fields of old, which Docker fills for the default network alone.
  const first = network?.endpoints['bridge'];
  const ids = new Map(listNetworks(paths).map(({ name, id }) => [name, id]));
  return {
    Bridge: '',
    SandboxID: config.id,
    SandboxKey: '',
    Ports: ports,
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first?.id ?? '',
    Gateway: first?.gateway ?? '',
    GlobalIPv6Address: first?.address6 ?? '',
    GlobalIPv6PrefixLen: first?.prefixLength6 ?? 0,
    IPAddress: first?.address ?? '',
    IPPrefixLen: first?.prefixLength ?? 0,
    IPv6Gateway: first?.gateway6 ?? '',
    MacAddress: first?.mac ?? '',
    Networks: Object.fromEntries(
      attachmentsOf(config).map((attachment) => [
        attachment.network,
        endpointSettings(container, attachment, network?.endpoints[attachment.network], ids.get(attachment.network)),
      ]),
    ),
  };
}

function endpointSettings(
  { config }: Container,
  attachment: NetworkAttachment,
  endpoint: EndpointState | undefined,
  id: string | undefined,
): object {
  const { address, address6, aliases = [], links = {} } = attachment;
  const names = namesOn(config, attachment);
  return {
    IPAMConfig:
      address === undefined && address6 === undefined
        ? null
        : {
            ...(address === undefined ? {} : { IPv4Address: address }),
            ...(address6 === undefined ? {} : { IPv6Address: address6 }),
          },
    Links: Object.keys(links).length === 0 ? null : Object.entries(links).map(([alias, name]) => `${name}:${alias}`),
    Aliases: aliases.length === 0 ? null : aliases,
    MacAddress: endpoint?.mac ?? attachment.mac ?? '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: id ?? '',
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.gateway6 ?? '',
    GlobalIPv6Address: endpoint?.address6 ?? '',
    GlobalIPv6PrefixLen: endpoint?.prefixLength6 ?? 0,
    DNSNames: names.length === 0 ? null : names,
  };
}

/** A network in the shape of Docker's `GET /networks/{id}`. */
export function inspectNetwork(paths: StatePaths, network: KnownNetwork): object {
  const { name, id, created, driver, subnet, gateway, subnet6, gateway6, ipRange, auxAddresses = {} } = network;
  const { internal, attachable, options, labels } = network;
  const members = listContainers(paths).flatMap(({ config, state }) => {
    const endpoint = state.network?.endpoints[name];
    return endpoint === undefined ? [] : [[config.id, member(config.name, endpoint)] as const];
  });
  return {
    Name: name,
    Id: id,
    Created: created,
    Scope: 'local',
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: subnet6 !== undefined,
    IPAM: {
      Driver: 'default',
      Options: {},
      Config: [
        ...(subnet === undefined
          ? []
          : [
              {
                Subnet: subnet,
                ...(ipRange === undefined ? {} : { IPRange: ipRange }),
                Gateway: gateway,
                ...(Object.keys(auxAddresses).length === 0 ? {} : { AuxiliaryAddresses: auxAddresses }),
              },
            ]),
        ...(subnet6 === undefined ? [] : [{ Subnet: subnet6, Gateway: gateway6 }]),
      ],
    },
    Internal: internal ?? false,
    Attachable: attachable ?? false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(members),
    Options: options ?? {},
    Labels: labels ?? {},
  };
}

function member(name: string, { id, mac, address, prefixLength, address6, prefixLength6 }: EndpointState): object {
  return {
    Name: name,
    EndpointID: id,
    MacAddress: mac,
    IPv4Address: address === '' ? '' : `${address}/${prefixLength}`,
    IPv6Address: address6 === '' ? '' : `${address6}/${prefixLength6}`,
  };
}
