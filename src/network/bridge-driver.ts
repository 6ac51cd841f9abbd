/**
 * The driver `bridge`: containers with addresses of a private subnet, the network process as their gateway.
 * It is the agent's: one instance for each network, which knows what is in service. Leases and ports are on disk.
 */
import { randomBytes } from 'node:crypto';
import { AddressPool, requestedAddress } from './address-pool.ts';
import { containerFiles, ownEntries } from './container-files.ts';
import type { ContainerLink, InterfaceAddress, InterfaceSettings } from './container-link.ts';
import type {
  Endpoint,
  EndpointChanges,
  EndpointRequest,
  NetworkDriver,
  PreparedEndpoint,
  Promotion,
} from './driver.ts';
import { hostLine } from './etc-files.ts';
import { takeConfigurationSocket } from './hub.ts';
import { addressBytes, formatAddress, formatMac, macOfAddress, parseAddress, parseMac } from './ipv4.ts';
import { address6Bytes, parseAddress6 } from './ipv6.ts';
import {
  keepFlowsInOrder,
  openConfigurationSocket,
  openUpPortsAndPing,
  prepareInterfaces,
  raiseLoopback,
} from './namespace-plan.ts';
import type { NameDirectory } from './name-directory.ts';
import { parseNetworkOptions } from './network-options.ts';
import type { NetworkService } from './network-service.ts';
import type { PortMapping } from './port-mapping.ts';
import { publishingError } from './publishing-error.ts';
import type { ProcessEndpoint } from './process/protocol.ts';
import type { EndpointRecord, NetworkRecord, NetworkRecords } from './records.ts';
import { openRunningNamespace } from './running-namespace.ts';
import { SubnetPair } from './subnet-pair.ts';
import { keeperTunFd } from './tap-keeper.ts';
import { addDefaultRoute, deleteLink } from '../sys/netlink-requests.ts';

export interface BridgeOptions {
  readonly record: NetworkRecord;
  readonly records: NetworkRecords;
  readonly link: ContainerLink;
  /** The network process, as it is found by this driver. */
  readonly service: NetworkService;
  /** Where names are told to other networks' processes; absent: containers are not found by name. */
  readonly directory?: NameDirectory | undefined;
  /** How many group ids containers' user namespaces map, from 0 on. */
  readonly groups: number;
  /** How many CPUs the host may have. */
  readonly cpus: number;
}

const firstInterface = 'eth0';

export class BridgeDriver implements NetworkDriver {
  readonly network: string;
  readonly isOutward: boolean;
  readonly #options: BridgeOptions;
  readonly #subnets: SubnetPair;
  readonly #pool: AddressPool;
  readonly #endpoints = new Map<string, EndpointRecord>();

  constructor(options: BridgeOptions) {
    const { record, records } = options;
    this.network = record.name;
    this.isOutward = record.internal !== true;
    this.#options = options;
    this.#subnets = new SubnetPair(record);
    this.#pool = this.#subnets.createPool();
    for (const endpoint of records.endpoints(record.name)) {
      const address = parseAddress(endpoint.address);
      if (address !== undefined && this.#pool.restore(endpoint.container, address)) {
        this.#endpoints.set(endpoint.container, endpoint);
      } else records.removeEndpoint(record.name, endpoint.container);
    }
  }

  async prepare(request: EndpointRequest): Promise<PreparedEndpoint> {
    const { record, service, link } = this.#options;
    const { container } = request;
    const former = this.#endpoints.get(container);
    let endpoint = this.#lease(request);
    try {
      const tap = await link.open();
      // On disk before anything else of it exists, so that a successor of ours finds the keeper.
      if (tap !== undefined) endpoint = this.#save({ ...endpoint, tap });
      const ports = await service.add({ ...served(endpoint), ports: this.#hostAddressed(request.ports) });
      endpoint = this.#save({ ...endpoint, ports });
      this.#tellNames(endpoint);
      return this.#prepared(request, endpoint);
    } catch (error) {
      // What failed first is what the user should read.
      await this.detach(container).catch(() => undefined);
      if (former === undefined) this.#forget(container);
      throw publishingError(error, request, endpoint.id, record.name);
    }
  }

  attach(container: string, pid: number): void {
    const endpoint = this.#find(container);
    using inside = takeConfigurationSocket(pid);
    this.#options.link.attach(pid, inside, this.#interfaceSettings(endpoint), endpoint.tap);
  }

  async plug(container: string, pid: number): Promise<void> {
    const endpoint = this.#find(container);
    using inside = await openRunningNamespace(pid, endpoint.address6 !== undefined);
    this.#options.link.attach(pid, inside, this.#interfaceSettings(endpoint), endpoint.tap);
  }

  async unplug(container: string, pid: number): Promise<void> {
    const endpoint = this.#endpoints.get(container);
    if (endpoint === undefined) return;
    using inside = await openRunningNamespace(pid);
    inside.request([deleteLink(endpoint.interface ?? firstInterface)]);
  }

  async promote(request: EndpointRequest, pid: number): Promise<Promotion> {
    const endpoint = this.#find(request.container);
    try {
      const ports = await this.#options.service.add({
        ...served(endpoint),
        ports: this.#hostAddressed(request.ports),
      });
      const { ports: bound } = this.#save({ ...endpoint, ports, isGateway: true });
      using inside = await openRunningNamespace(pid);
      const tolerated = ['EEXIST'];
      inside.request(
        this.#interfaceSettings(endpoint).addresses.map(({ gateway }) => ({ ...addDefaultRoute(gateway), tolerated })),
      );
      return { ports: bound, resolvConf: this.#files(request, endpoint).resolvConf };
    } catch (error) {
      throw publishingError(error, request, endpoint.id, this.network);
    }
  }

  async change(container: string, { names, traffic }: EndpointChanges): Promise<void> {
    const endpoint = this.#endpoints.get(container);
    if (endpoint === undefined) return;
    const changed = this.#save({
      ...endpoint,
      ...(names === undefined ? {} : { names }),
      ...(traffic === undefined ? {} : { traffic }),
    });
    if (!this.#options.service.serves(container)) return;
    await this.#options.service.update(served(changed));
    this.#tellNames(changed);
  }

  async detach(container: string): Promise<void> {
    this.#pool.release(container);
    this.#options.directory?.remove(this.network, container);
    const endpoint = this.#endpoints.get(container);
    try {
      await this.#options.service.remove(container);
    } finally {
      if (endpoint?.tap !== undefined) {
        this.#options.link.close(endpoint.tap);
        this.#save(withoutTap(endpoint));
      }
    }
  }

  async remove(container: string): Promise<void> {
    await this.detach(container);
    this.#forget(container);
  }

  async recover(containers: ReadonlyMap<string, boolean>): Promise<void> {
    const running: EndpointRecord[] = [];
    for (const [container, endpoint] of this.#endpoints) {
      const runs = containers.get(container);
      if (runs === undefined) this.#forget(container);
      else if (runs) {
        this.#pool.acquire(container);
        running.push(endpoint);
      } else if (endpoint.tap !== undefined) {
        this.#options.link.close(endpoint.tap);
        this.#save(withoutTap(endpoint));
      }
    }
    for (const endpoint of running) this.#tellNames(endpoint);
    await this.#options.service.recover(running.map(served));
  }

  #find(container: string): EndpointRecord {
    const endpoint = this.#endpoints.get(container);
    if (endpoint === undefined) throw new Error(`Cannot attach container ${container}: it has no endpoint`);
    return endpoint;
  }

  /** The record of a container that starts, in memory alone. Nothing of it is in service yet. */
  #lease(request: EndpointRequest): EndpointRecord {
    const { container } = request;
    const mac = request.mac === undefined ? undefined : parseMac(request.mac);
    if (request.mac !== undefined && mac === undefined) {
      throw Object.assign(new Error(`invalid MAC address: ${request.mac}`), { code: 'EINVAL' });
    }
    const others = new Set(
      [...this.#endpoints.values()].filter((each) => each.container !== container).map((each) => each.address6),
    );
    const wanted6 = this.#subnets.requestedAddress6(request.address6, others);
    const { address, evicted } = this.#pool.acquire(container, requestedAddress(request.address));
    if (evicted !== undefined) this.#dropRecord(evicted);
    const address6 = wanted6 ?? this.#subnets.address6Of(address, others);
    const endpoint: EndpointRecord = {
      container,
      id: randomBytes(32).toString('hex'),
      address: formatAddress(address),
      ...(address6 === undefined ? {} : { address6 }),
      mac: formatMac(mac ?? macOfAddress(address)),
      names: request.names ?? [],
      ...(request.links === undefined ? {} : { links: request.links }),
      ...(request.traffic === undefined ? {} : { traffic: request.traffic }),
      ...this.#ownResolvers(request),
      ...(request.interface === undefined ? {} : { interface: request.interface }),
      isGateway: request.isGateway ?? true,
      ports: [],
    };
    this.#endpoints.set(container, endpoint);
    return endpoint;
  }

  #save(endpoint: EndpointRecord): EndpointRecord {
    this.#options.records.saveEndpoint(this.network, endpoint);
    this.#endpoints.set(endpoint.container, endpoint);
    return endpoint;
  }

  #tellNames(endpoint: EndpointRecord): void {
    const { container, names } = endpoint;
    this.#options.directory?.set(this.network, container, { names, addresses: addressesOf(endpoint) });
  }

  /** No port of a network without a way out; others where the network's option says. */
  #hostAddressed(ports: readonly PortMapping[]): readonly PortMapping[] {
    if (!this.isOutward) return [];
    const { hostAddress } = parseNetworkOptions(this.#options.record.options ?? {});
    return hostAddress === undefined ? ports : ports.map((port) => ({ hostAddress, ...port }));
  }

  #interfaceSettings(endpoint: EndpointRecord): InterfaceSettings {
    const { record } = this.#options;
    const { prefixLength, prefixLength6 } = this.#subnets;
    const addresses: [InterfaceAddress, ...InterfaceAddress[]] = [
      {
        address: addressBytes(parseAddress(endpoint.address)!),
        prefixLength,
        gateway: addressBytes(parseAddress(record.gateway)!),
      },
    ];
    if (endpoint.address6 !== undefined && record.gateway6 !== undefined) {
      addresses.push({
        address: address6Bytes(parseAddress6(endpoint.address6)!),
        prefixLength: prefixLength6,
        gateway: address6Bytes(parseAddress6(record.gateway6)!),
      });
    }
    return {
      name: endpoint.interface ?? firstInterface,
      mac: parseMac(endpoint.mac)!,
      mtu: record.mtu,
      addresses,
      isGateway: endpoint.isGateway !== false && this.isOutward,
    };
  }

  #prepared(request: EndpointRequest, endpoint: EndpointRecord): PreparedEndpoint {
    const { record, groups, cpus } = this.#options;
    const { id, address, address6, mac, ports } = endpoint;
    const own: Endpoint = {
      network: this.network,
      id,
      interface: endpoint.interface ?? firstInterface,
      address,
      prefixLength: this.#subnets.prefixLength,
      gateway: record.gateway,
      address6: address6 ?? '',
      prefixLength6: address6 === undefined ? 0 : this.#subnets.prefixLength6,
      gateway6: record.gateway6 ?? '',
      mac,
      ports,
    };
    return {
      ...own,
      namespace: 'private',
      needsAttach: true,
      files: this.#files(request, endpoint),
      ownHosts: ownEntries(request.hostname, addressesOf(endpoint)).map(hostLine).join(''),
      configure: (plan, all = [own]) => {
        raiseLoopback(plan);
        openUpPortsAndPing(plan, groups);
        keepFlowsInOrder(plan, cpus);
        prepareInterfaces(
          plan,
          all.some((each) => each.address6 !== ''),
        );
        openConfigurationSocket(plan);
      },
    };
  }

  /**
   * Where containers are found by name, the gateway stays their resolver and asks those of `--dns` for them, as Docker's
   * does; but those that are containers themselves, which it cannot reach. So it does where rules of traffic go by the
   * answers that it gives.
   */
  #ownResolvers({ dns, traffic }: EndpointRequest): Pick<EndpointRecord, 'resolvers'> {
    const servers = dns?.servers ?? [];
    const isNeeded = this.#options.directory !== undefined || (traffic?.egress?.length ?? 0) > 0;
    const isAsked = isNeeded && !servers.some((server) => this.#subnets.contains(server));
    return servers.length > 0 && isAsked ? { resolvers: servers } : {};
  }

  #files(request: EndpointRequest, endpoint: EndpointRecord): PreparedEndpoint['files'] {
    const { gateway } = this.#options.record;
    const { servers = [], ...dns } = request.dns ?? {};
    const context = { addresses: addressesOf(endpoint), host: gateway };
    return endpoint.resolvers === undefined && servers.length > 0
      ? containerFiles(request, { ...context, servers })
      : containerFiles({ ...request, dns }, { ...context, servers: [gateway] });
  }

  #forget(container: string): void {
    this.#pool.forget(container);
    this.#dropRecord(container);
  }

  #dropRecord(container: string): void {
    this.#options.link.close(this.#endpoints.get(container)?.tap);
    this.#endpoints.delete(container);
    this.#options.records.removeEndpoint(this.network, container);
  }
}

function addressesOf({ address, address6 }: EndpointRecord): string[] {
  return [address, ...(address6 === undefined ? [] : [address6])];
}

/** What the network process has to know. */
function served(endpoint: EndpointRecord): ProcessEndpoint {
  const { container, address, address6, mac, names, links, traffic, resolvers, ports, tap } = endpoint;
  return {
    container,
    address,
    ...(address6 === undefined ? {} : { address6 }),
    mac,
    names,
    ...(links === undefined ? {} : { links }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(resolvers === undefined ? {} : { resolvers }),
    ports,
    ...(tap === undefined ? {} : { tap: { name: tap.name, pid: tap.keeper.pid, fd: keeperTunFd } }),
  };
}

function withoutTap({ tap: _, ...rest }: EndpointRecord): EndpointRecord {
  return rest;
}
