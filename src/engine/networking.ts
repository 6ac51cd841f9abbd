/** A container's part in its networks, from its start to its removal. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EndpointRequest, NetworkDriver, PreparedEndpoint } from '../network/driver.ts';
import type { PortMapping } from '../network/port-mapping.ts';
import { listNetworks } from '../network/stored-networks.ts';
import type { NetworkNamespace, LaunchInput } from '../runtime/launch-input.ts';
import { attachmentsOf, isUserDefined, namesOn, trafficOf } from './attachments.ts';
import {
  type Container,
  type ContainerState,
  type EndpointState,
  findContainer,
  listContainers,
  type NetworkAttachment,
} from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { exposedPorts } from './exposed-ports.ts';
import { linkedHosts } from './links.ts';
import { asEngineError } from './network-failure.ts';
import type { InheritedPidfds } from './shared-namespaces.ts';

/** How a start takes part in networks, whichever kind. */
export interface Networking {
  readonly namespace: NetworkNamespace;
  /** Absent: nothing of the container's own is to be configured. */
  readonly configure: LaunchInput['configureNetwork'];
  readonly etcFolder: string;
  /** What goes on record; absent where it has no network of its own. */
  readonly state: ContainerState['network'];
  attach(pid: number): void;
  leave(): Promise<void>;
}

/** An endpoint that is made ready, with the driver that made it so. */
interface Joined {
  readonly driver: NetworkDriver;
  readonly endpoint: PreparedEndpoint;
}

/** Makes a container's endpoints ready, and its files in /etc. `leave` undoes it. */
export async function joinNetworks(
  context: EngineContext,
  container: Container,
  pidfds: InheritedPidfds,
): Promise<Networking> {
  const { request, id } = container.config;
  const { network, options } = request;
  if (network.startsWith('container:')) return shareNetwork(context, network.slice('container:'.length), pidfds);

  const attachments = attachmentsOf(container.config);
  // A container that was disconnected from everything has a loopback.
  const wanted = attachments.length === 0 ? [{ network: 'none' }] : attachments;
  const drivers = await Promise.all(wanted.map((attachment) => findDriver(context, attachment.network)));
  const outward = drivers.find(({ isOutward }) => isOutward);
  const joined: Joined[] = [];
  async function leave(): Promise<void> {
    await Promise.all(joined.map(({ driver }) => driver.detach(id)));
  }
  try {
    for (const [index, driver] of drivers.entries()) {
      const endpointRequest = endpointOf(context, container, wanted[index]!, `eth${index}`, driver === outward);
      joined.push({ driver, endpoint: await driver.prepare(endpointRequest) });
    }
    // Whoever leads outside answers names; without one, the first.
    const main = joined.find(({ driver }) => driver === outward) ?? joined[0]!;
    const others = joined.filter((each) => each !== main);
    const hosts = main.endpoint.files.hosts + others.map(({ endpoint }) => endpoint.ownHosts).join('');
    writeEtcFile(container, 'hosts', hosts);
    writeEtcFile(container, 'resolv.conf', main.endpoint.files.resolvConf);
    writeEtcFile(container, 'hostname', `${options.hostname ?? id.slice(0, 12)}\n`);
  } catch (error) {
    await leave().catch(() => undefined);
    throw asEngineError(error);
  }
  const [first] = joined;
  return {
    namespace: first!.endpoint.namespace === 'host' ? { kind: 'host' } : { kind: 'new' },
    configure: (plan) =>
      first!.endpoint.configure(
        plan,
        joined.map(({ endpoint }) => endpoint),
      ),
    etcFolder: container.folder,
    state: {
      endpoints: Object.fromEntries(joined.map(({ endpoint }) => [endpoint.network, endpointState(endpoint)])),
      ...(outward === undefined ? {} : { outward: outward.network }),
      ports: joined.flatMap(({ endpoint }) => endpoint.ports),
    },
    attach: (pid) => {
      for (const { driver, endpoint } of joined) if (endpoint.needsAttach) driver.attach(id, pid);
    },
    leave,
  };
}

/** What a driver is asked for a container. Its ports are published where it leads outside. */
export function endpointOf(
  context: EngineContext,
  container: Container,
  attachment: NetworkAttachment,
  interfaceName: string,
  isGateway: boolean,
): EndpointRequest {
  const { id, name, request } = container.config;
  const { address, address6, mac, links = {}, network } = attachment;
  return {
    container: id,
    name,
    hostname: request.options.hostname ?? id.slice(0, 12),
    ports: isGateway || network === 'host' ? portMappings(context, container) : [],
    names: namesOn(container.config, attachment),
    ...(isUserDefined(network) ? { links: linkedNames(context, links) } : {}),
    ...(address === undefined ? {} : { address }),
    ...(address6 === undefined ? {} : { address6 }),
    ...(mac === undefined ? {} : { mac }),
    traffic: trafficOf(container.config),
    interface: interfaceName,
    isGateway,
    extraHosts: [...request.extraHosts, ...(isUserDefined(network) ? [] : linkedHosts(context.paths, name, links))],
    dns: Object.fromEntries(Object.entries(request.dns).filter(([, values]) => values.length > 0)),
  };
}

/** Alias -> the name by which the other container is found. */
function linkedNames({ paths }: EngineContext, links: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(links).map(([alias, target]) => [alias, findContainer(paths, target).config.id.slice(0, 12)]),
  );
}

/** The ports that were asked for, and with `-P` those that the image or `--expose` names. */
function portMappings(context: EngineContext, container: Container): PortMapping[] {
  const { ports, publishAll } = container.config.request;
  const mappings = ports.map(({ protocol, hostIp, hostPorts: [first, last], containerPort }): PortMapping => ({
    protocol,
    ...(hostIp === '' ? {} : { hostAddress: hostIp }),
    hostPort: first,
    ...(last === first ? {} : { hostPortEnd: last }),
    containerPort,
  }));
  if (!publishAll) return mappings;
  for (const { containerPort, protocol } of exposedPorts(context, container)) {
    if (mappings.some((each) => each.containerPort === containerPort && each.protocol === protocol)) continue;
    mappings.push({ protocol, hostPort: 0, containerPort });
  }
  return mappings;
}

/** What of an endpoint goes on record. */
export function endpointState(endpoint: PreparedEndpoint): EndpointState {
  const { id, address, prefixLength, gateway, address6, prefixLength6, gateway6, mac } = endpoint;
  return {
    id,
    interface: endpoint.interface,
    address,
    prefixLength,
    gateway,
    address6,
    prefixLength6,
    gateway6,
    mac,
  };
}

/** Writes a file that the container sees in /etc. In place, for it may be mounted there. */
export function writeEtcFile({ folder }: Container, name: string, content: string): void {
  writeFileSync(join(folder, name), content, { mode: 0o644 });
}

function shareNetwork({ paths }: EngineContext, nameOrId: string, pidfds: InheritedPidfds): Networking {
  const other = findContainer(paths, nameOrId);
  return {
    namespace: { kind: 'join', pidfd: pidfds.add(other, 'network') },
    configure: undefined,
    state: undefined,
    etcFolder: other.folder,
    attach: () => undefined,
    leave: () => Promise.resolve(),
  };
}

/** The driver of a network. Throws NOT_FOUND in Docker's words. */
export async function findDriver(context: EngineContext, network: string): Promise<NetworkDriver> {
  const networks = await context.networks();
  try {
    return networks.driver(network);
  } catch (error) {
    throw asEngineError(error);
  }
}

/** After a container's end: its ports are closed, its addresses stay its own. */
export async function leaveNetworks(context: EngineContext, { config }: Container): Promise<void> {
  for (const { network } of attachmentsOf(config)) {
    await ifThere(async () => (await findDriver(context, network)).detach(config.id));
  }
}

/** Before a container is removed: its addresses are free. */
export async function leaveNetworksForGood(context: EngineContext, { config }: Container): Promise<void> {
  for (const { network } of attachmentsOf(config)) {
    await ifThere(async () => (await findDriver(context, network)).remove(config.id));
  }
}

/** A network that has been removed holds nothing of a container's any more. */
async function ifThere(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof EngineError && error.code === 'NOT_FOUND')) throw error;
  }
}

/** Puts the networks of containers that run back in service, and ends the leases of those that are gone. */
export async function recoverNetworks(context: EngineContext): Promise<void> {
  const containers = new Map<string, Map<string, boolean>>();
  for (const { name, subnet } of listNetworks(context.paths)) if (subnet !== undefined) containers.set(name, new Map());
  for (const { config, state } of listContainers(context.paths)) {
    for (const { network } of attachmentsOf(config))
      containers.get(network)?.set(config.id, state.status === 'running');
  }
  if (containers.size === 0) return;
  const networks = await context.networks();
  for (const [network, members] of containers) {
    try {
      await networks.driver(network).recover(members);
    } catch (error) {
      context.log(`network ${network}: ${(error as Error).message}`);
    }
  }
}
