/**
 * The driver `bridge`: containers with addresses of a private subnet, the network process as their gateway.
 * It is the agent's: one instance for each network, which knows what is in service. Leases and ports are on disk.
 */
import { randomBytes } from 'node:crypto';
import { AddressPool, requestedAddress } from './address-pool.ts';
import { containerFiles } from './container-files.ts';
import type { EndpointRequest, NetworkDriver, PreparedEndpoint } from './driver.ts';
import type { ContainerLink } from './container-link.ts';
import { takeConfigurationSocket } from './hub.ts';
import { addressBytes, formatAddress, formatMac, macOfAddress, parseAddress, parseMac, parseSubnet } from './ipv4.ts';
import {
  keepFlowsInOrder,
  openConfigurationSocket,
  openUpPortsAndPing,
  raiseLoopback,
  setNetworkSysctl,
} from './namespace-plan.ts';
import type { NetworkService } from './network-service.ts';
import { publishingError } from './publishing-error.ts';
import type { ProcessEndpoint } from './process/protocol.ts';
import type { EndpointRecord, NetworkRecord, NetworkRecords } from './records.ts';
import { keeperTunFd } from './tap-keeper.ts';

export interface BridgeOptions {
  readonly record: NetworkRecord;
  readonly records: NetworkRecords;
  readonly link: ContainerLink;
  /** The network process, as it is found by this driver. */
  readonly service: NetworkService;
  /** How many group ids containers' user namespaces map, from 0 on. */
  readonly groups: number;
  /** How many CPUs the host may have. */
  readonly cpus: number;
}

const containerInterface = 'eth0';

export class BridgeDriver implements NetworkDriver {
  readonly network: string;
  readonly #options: BridgeOptions;
  readonly #subnet;
  readonly #pool: AddressPool;
  readonly #endpoints = new Map<string, EndpointRecord>();

  constructor(options: BridgeOptions) {
    const { record, records } = options;
    const subnet = parseSubnet(record.subnet);
    const gateway = parseAddress(record.gateway);
    if (subnet === undefined || gateway === undefined) throw new Error(`Cannot use network ${record.name}: bad record`);
    this.network = record.name;
    this.#options = options;
    this.#subnet = subnet;
    this.#pool = new AddressPool(subnet, gateway);
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
      const ports = await service.add({ ...served(endpoint), ports: request.ports });
      endpoint = this.#save({ ...endpoint, ports });
      return this.#prepared(request, endpoint);
    } catch (error) {
      // What failed first is what the user should read.
      await this.detach(container).catch(() => undefined);
      if (former === undefined) this.#forget(container);
      throw publishingError(error, request, endpoint.id, record.name);
    }
  }

  attach(container: string, pid: number): void {
    const { record, link } = this.#options;
    const endpoint = this.#endpoints.get(container);
    if (endpoint === undefined) throw new Error(`Cannot attach container ${container}: it has no endpoint`);
    using inside = takeConfigurationSocket(pid);
    const settings = {
      name: containerInterface,
      mac: parseMac(endpoint.mac)!,
      mtu: record.mtu,
      address: addressBytes(parseAddress(endpoint.address)!),
      prefixLength: this.#subnet.prefixLength,
      gateway: addressBytes(parseAddress(record.gateway)!),
    };
    link.attach(pid, inside, settings, endpoint.tap);
  }

  async detach(container: string): Promise<void> {
    this.#pool.release(container);
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
    await this.#options.service.recover(running.map(served));
  }

  /** The record of a container that starts, in memory alone. Nothing of it is in service yet. */
  #lease(request: EndpointRequest): EndpointRecord {
    const { container } = request;
    const mac = request.mac === undefined ? undefined : parseMac(request.mac);
    if (request.mac !== undefined && mac === undefined) {
      throw Object.assign(new Error(`invalid MAC address: ${request.mac}`), { code: 'EINVAL' });
    }
    const { address, evicted } = this.#pool.acquire(container, requestedAddress(request.address));
    if (evicted !== undefined) this.#dropRecord(evicted);
    const endpoint: EndpointRecord = {
      container,
      id: randomBytes(32).toString('hex'),
      address: formatAddress(address),
      mac: formatMac(mac ?? macOfAddress(address)),
      names: request.names ?? [],
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

  #prepared(request: EndpointRequest, endpoint: EndpointRecord): PreparedEndpoint {
    const { record, groups, cpus } = this.#options;
    return {
      network: this.network,
      id: endpoint.id,
      interface: containerInterface,
      address: endpoint.address,
      prefixLength: this.#subnet.prefixLength,
      gateway: record.gateway,
      mac: endpoint.mac,
      ports: endpoint.ports,
      namespace: 'private',
      needsAttach: true,
      files: containerFiles(request, { address: endpoint.address, host: record.gateway, servers: [record.gateway] }),
      configure: (plan) => {
        raiseLoopback(plan);
        openUpPortsAndPing(plan, groups);
        keepFlowsInOrder(plan, cpus);
        // An IPv4 network: no link-local address that announces itself, as Docker has it too.
        setNetworkSysctl(plan, 'ipv6/conf/default/disable_ipv6', '1');
        // The interface announces itself when it is set up. The bridge may still know its MAC behind the port of a
        // container that has just ended, and would send there the first second's packets.
        setNetworkSysctl(plan, 'ipv4/conf/default/arp_notify', '1');
        openConfigurationSocket(plan);
      },
    };
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

/** What the network process has to know. */
function served({ container, address, mac, names, ports, tap }: EndpointRecord): ProcessEndpoint {
  const source = tap === undefined ? {} : { tap: { name: tap.name, pid: tap.keeper.pid, fd: keeperTunFd } };
  return { container, address, mac, names, ports, ...source };
}

function withoutTap({ container, id, address, mac, names, ports }: EndpointRecord): EndpointRecord {
  return { container, id, address, mac, names, ports };
}
