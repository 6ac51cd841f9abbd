/** The containers that a network process serves: who may send, which ports are bound for whom, who has which name. */
import type { EventLoop, Question } from 'netstack';
import { errorCode } from '../../base/error-code.ts';
import type { BoundPort, PortMapping } from '../port-mapping.ts';
import type { Gateways, Opened } from './gateways.ts';
import type { Egress } from './egress.ts';
import type { ForeignNames } from './foreign-names.ts';
import { NetworkNames } from './network-names.ts';
import { bindPort, type Binding, describeBindError } from './port-binding.ts';
import type { ProcessEndpoint, ProcessStatus } from './protocol.ts';

/** Ports left over by a predecessor that was just killed are free within milliseconds; others deserve some seconds. */
const retryPause = 50;
const retryTime = 10_000;

interface Served {
  endpoint: ProcessEndpoint;
  readonly opened: Opened;
  readonly members: readonly { close(): void }[];
  readonly bindings: Binding[];
  /** Mappings that are yet to be bound. */
  pending: PortMapping[];
}

export interface EndpointTableOptions {
  readonly loop: EventLoop;
  readonly gateways: Pick<Gateways, 'open'>;
  readonly network: string;
  /** The names of other networks that a container of ours is on as well. */
  readonly foreign?: ForeignNames;
  /** Which flows to the outside containers may open. */
  readonly egress: Pick<Egress, 'set' | 'delete'>;
  readonly log: (message: string) => void;
}

export class EndpointTable {
  readonly #options: EndpointTableOptions;
  readonly #served = new Map<string, Served>();
  readonly #names: NetworkNames;

  constructor(options: EndpointTableOptions) {
    this.#options = options;
    this.#names = new NetworkNames(options.network, options.foreign);
  }

  get size(): number {
    return this.#served.size;
  }

  /** Serves a container and binds all its ports. Throws a BindError with none of them bound. */
  add(endpoint: ProcessEndpoint): BoundPort[] {
    this.remove(endpoint.container);
    const served = this.#serve(endpoint);
    try {
      for (const mapping of endpoint.ports) {
        served.bindings.push(bindPort(served.opened.gateway, mapping, endpoint));
      }
    } catch (error) {
      this.remove(endpoint.container);
      throw error;
    }
    return boundPorts(served);
  }

  /** Other names and rules of traffic for a container that is served. */
  update(endpoint: ProcessEndpoint): void {
    const served = this.#served.get(endpoint.container);
    if (served === undefined) return;
    const { names, links = {}, traffic = {} } = endpoint;
    served.endpoint = { ...served.endpoint, names, links, traffic };
    this.#names.set(served.endpoint);
    this.#hold(served);
  }

  remove(container: string): void {
    const served = this.#served.get(container);
    if (served === undefined) return;
    this.#served.delete(container);
    served.pending = [];
    for (const binding of served.bindings) binding.close();
    for (const member of served.members) member.close();
    served.opened.gateway.limit(served.endpoint.mac, undefined);
    served.opened.close();
    this.#options.egress.delete(container);
    this.#names.delete(container);
  }

  /** Serves exactly these; what is served already in the same way is left alone. */
  synchronize(endpoints: readonly ProcessEndpoint[]): void {
    const wanted = new Map(endpoints.map((endpoint) => [endpoint.container, endpoint]));
    for (const [container, { endpoint }] of this.#served) {
      if (JSON.stringify(wanted.get(container)) !== JSON.stringify(endpoint)) this.remove(container);
    }
    for (const endpoint of wanted.values()) {
      if (this.#served.has(endpoint.container)) continue;
      try {
        const served = this.#serve(endpoint);
        served.pending = [...endpoint.ports];
        this.#bindPending(served, this.#options.loop.timers.now + retryTime);
      } catch (error) {
        // Its TAP ended with it: the other containers go on.
        this.#options.log(`Cannot serve container ${endpoint.container}: ${(error as Error).message}`);
      }
    }
  }

  /** Answers a question about a container's name or address, see GatewayOptions.names. */
  resolve(question: Question, from: string): string[] | undefined {
    return this.#names.resolve(question, from);
  }

  /** The container that has the address; empty where none has. */
  containerOf(address: string): string {
    return this.#endpointOf(address)?.container ?? '';
  }

  /** Who is to be asked for the container with that address; undefined: the host's resolvers. */
  resolversOf(address: string): readonly string[] | undefined {
    return this.#endpointOf(address)?.resolvers;
  }

  status(): ProcessStatus['endpoints'] {
    return [...this.#served.values()].map((served) => ({
      container: served.endpoint.container,
      address: served.endpoint.address,
      ports: boundPorts(served),
      pending: served.pending.length,
    }));
  }

  #serve(endpoint: ProcessEndpoint): Served {
    const opened = this.#options.gateways.open(endpoint);
    const members = admit(opened, endpoint);
    const served: Served = { endpoint, opened, members, bindings: [], pending: [] };
    this.#served.set(endpoint.container, served);
    this.#names.set(endpoint);
    this.#hold(served);
    return served;
  }

  #endpointOf(address: string): ProcessEndpoint | undefined {
    for (const { endpoint } of this.#served.values())
      if (endpoint.address === address || endpoint.address6 === address) return endpoint;
    return undefined;
  }

  /** Holds a container to its rules of traffic. */
  #hold({ opened, endpoint: { container, address, address6, mac, traffic = {} } }: Served): void {
    const { egress, ...limits } = traffic;
    this.#options.egress.set(container, [address, ...(address6 === undefined ? [] : [address6])], egress);
    opened.gateway.limit(mac, Object.keys(limits).length === 0 ? undefined : limits);
  }

  #bindPending(served: Served, until: number): void {
    const now = this.#options.loop.timers.now;
    served.pending = served.pending.filter((mapping) => {
      try {
        served.bindings.push(bindPort(served.opened.gateway, mapping, served.endpoint));
        return false;
      } catch (error) {
        const again = errorCode(error) === 'EADDRINUSE' && now < until;
        if (!again) this.#options.log(describeBindError(error));
        return again;
      }
    });
    if (served.pending.length > 0) this.#options.loop.schedule(retryPause, () => this.#bindPending(served, until));
  }
}

function admit(opened: Opened, { address, address6, mac }: ProcessEndpoint): Served['members'] {
  const members: { close(): void }[] = [];
  try {
    for (const each of [address, ...(address6 === undefined ? [] : [address6])]) {
      members.push(opened.gateway.admit({ address: each, mac }));
    }
    return members;
  } catch (error) {
    for (const member of members) member.close();
    opened.close();
    throw error;
  }
}

function boundPorts(served: Served): BoundPort[] {
  return served.bindings.flatMap(({ ports }) => ports);
}
