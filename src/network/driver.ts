/**
 * The contract of network drivers.
 *
 * A container's way through a driver:
 *
 *     prepare   before the launch. Leases the address, binds the published ports, makes ready what the container will be
 *               attached to. When it throws, nothing is left behind, and the message is fit for the user.
 *     configure the launch plan runs these operations as root of the container's user namespace, inside its network
 *               namespace, with a procfs in reach and before the program's capabilities are dropped.
 *     attach    while the container's first process waits after those operations, not yet exec'd. Gives it its
 *               interface. Only where `needsAttach` says so. When it throws, `detach` follows.
 *     detach    when its first process has ended (or was never started). Ports are closed when it returns; the address
 *               stays leased. Repeating it does nothing, nor does a container that was never prepared.
 *     remove    when the container is removed: the lease ends.
 *     plug      gives a container that runs its interface, after `prepare`: `network connect`. When it throws, `detach`
 *               follows.
 *     unplug    takes the interface of a container that runs away; `remove` follows: `network disconnect`.
 *     promote   makes this network the way out of a container that runs, when the one that was it has gone. Sets the
 *               default route and binds the ports.
 *     change    other names or rules of traffic for a container; it takes effect at once where it is prepared.
 *     recover   once at the start of the process that owns the engine, with every container there is. Ends the leases
 *               of all others, and puts back in service those that run: their ports are bound again.
 *
 * A container has at most one endpoint on a driver's network, and may have endpoints on several networks; one of them,
 * where its default route goes and its ports are published, is its gateway. Two containers that are prepared at the same time get
 * different addresses. After prepare and until remove a container's address does not change while it runs, and over
 * stop and start only if there was no other address left for somebody else.
 */
import type { TrafficRules } from '../base/traffic.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import type { HostEntry, ResolverSettings } from './etc-files.ts';
import type { BoundPort, PortMapping } from './port-mapping.ts';

export interface EndpointRequest {
  /** The container's id. */
  readonly container: string;
  /** Its name, for messages. */
  readonly name: string;
  readonly hostname: string;
  readonly ports: readonly PortMapping[];
  /** Names by which the containers of a user-defined network find it. */
  readonly names?: readonly string[];
  /** Names by which it alone finds others of the network: alias -> name. */
  readonly links?: Readonly<Record<string, string>>;
  /** A certain IPv4 address, IPv6 address or MAC, as text. */
  readonly address?: string;
  readonly address6?: string;
  readonly mac?: string;
  /** What its traffic to the outside is held to. */
  readonly traffic?: TrafficRules;
  /** Name of its interface. Default: eth0. */
  readonly interface?: string;
  /** Whether its default route goes there. Default: yes. */
  readonly isGateway?: boolean;
  /** `--add-host`: the address `host-gateway` stands for the host. */
  readonly extraHosts?: readonly HostEntry[];
  /** `--dns`, `--dns-search`, `--dns-option`: each replaces what would be there. */
  readonly dns?: Partial<ResolverSettings>;
}

/** What `inspect` shows. Empty strings and zero where a driver has no such thing, as Docker prints it. */
export interface Endpoint {
  readonly network: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Name of the interface in the container. */
  readonly interface: string;
  /** Dotted quads. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly address6: string;
  readonly prefixLength6: number;
  readonly gateway6: string;
  readonly mac: string;
  readonly ports: readonly BoundPort[];
}

export interface PreparedEndpoint extends Endpoint {
  /** `private`: the container gets a network namespace of its own. `host`: it stays in the host's. */
  readonly namespace: 'private' | 'host';
  readonly needsAttach: boolean;
  /** Contents of files in /etc. */
  readonly files: { readonly hosts: string; readonly resolvConf: string };
  /** The lines of `files.hosts` that are about its own address. */
  readonly ownHosts: string;
  /**
   * Appends what the container has to do for itself to its launch plan: for all its endpoints at once.
   * @param all its endpoints, this one included. Default: this one alone
   */
  configure(plan: LaunchPlan, all?: readonly Endpoint[]): void;
}

/** What changes for a container whose way out goes by another network now. */
export interface Promotion {
  readonly ports: readonly BoundPort[];
  /** Content of its /etc/resolv.conf. */
  readonly resolvConf: string;
}

export type EndpointChanges = Pick<EndpointRequest, 'names' | 'traffic'>;

export interface NetworkDriver {
  /** What `--network` calls it. */
  readonly network: string;
  /** Whether containers reach the outside by it, and ports can be published. */
  readonly isOutward: boolean;
  prepare(request: EndpointRequest): Promise<PreparedEndpoint>;
  /** @param pid of the container's first process, in our pid namespace */
  attach(container: string, pid: number): void;
  detach(container: string): Promise<void>;
  remove(container: string): Promise<void>;
  /** @param pid of the container's first process, in our pid namespace */
  plug(container: string, pid: number): Promise<void>;
  unplug(container: string, pid: number): Promise<void>;
  /** Throws as `prepare` does for ports that cannot be bound. */
  promote(request: EndpointRequest, pid: number): Promise<Promotion>;
  change(container: string, changes: EndpointChanges): Promise<void>;
  /** @param containers every container there is on this network -> whether it runs */
  recover(containers: ReadonlyMap<string, boolean>): Promise<void>;
}
