/** The containers that a network process serves: who may send, which ports are bound for whom, who has which name. */
import type { EventLoop, Question } from 'netstack';
import { errorCode } from '../../base/error-code.ts';
import type { BoundPort, PortMapping } from '../port-mapping.ts';
import type { Gateways, Opened } from './gateways.ts';
import { bindPort, type Binding, describeBindError } from './port-binding.ts';
import type { ProcessEndpoint, ProcessStatus } from './protocol.ts';

/** Ports left over by a predecessor that was just killed are free within milliseconds; others deserve some seconds. */
const retryPause = 50;
const retryTime = 10_000;

interface Served {
  readonly endpoint: ProcessEndpoint;
  readonly opened: Opened;
  readonly member: { close(): void };
  readonly bindings: Binding[];
  /** Mappings that are yet to be bound. */
  pending: PortMapping[];
}

export class EndpointTable {
  readonly #loop: EventLoop;
  readonly #gateways: Pick<Gateways, 'open'>;
  readonly #log: (message: string) => void;
  readonly #served = new Map<string, Served>();
  readonly #addressesByName = new Map<string, Set<string>>();

  constructor(loop: EventLoop, gateways: Pick<Gateways, 'open'>, log: (message: string) => void) {
    this.#loop = loop;
    this.#gateways = gateways;
    this.#log = log;
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
        served.bindings.push(bindPort(served.opened.gateway, mapping, endpoint.address));
      }
    } catch (error) {
      this.remove(endpoint.container);
      throw error;
    }
    return boundPorts(served);
  }

  remove(container: string): void {
    const served = this.#served.get(container);
    if (served === undefined) return;
    this.#served.delete(container);
    served.pending = [];
    for (const binding of served.bindings) binding.close();
    served.member.close();
    served.opened.close();
    for (const name of served.endpoint.names) {
      const addresses = this.#addressesByName.get(name.toLowerCase());
      addresses?.delete(served.endpoint.address);
      if (addresses?.size === 0) this.#addressesByName.delete(name.toLowerCase());
    }
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
        this.#bindPending(served, this.#loop.timers.now + retryTime);
      } catch (error) {
        // Its TAP ended with it: the other containers go on.
        this.#log(`Cannot serve container ${endpoint.container}: ${(error as Error).message}`);
      }
    }
  }

  /** Answers a question about a container's name or address, see GatewayOptions.names. */
  resolve(question: Question): string[] | undefined {
    if (question.type === 'PTR') {
      const address = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(question.name)?.slice(1).reverse().join('.');
      const holder = [...this.#served.values()].find(({ endpoint }) => endpoint.address === address);
      return holder === undefined || holder.endpoint.names.length === 0 ? undefined : [holder.endpoint.names[0]!];
    }
    const addresses = this.#addressesByName.get(question.name);
    if (addresses === undefined) return undefined;
    return question.type === 'A' ? [...addresses] : [];
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
    const opened = this.#gateways.open(endpoint);
    const member = admit(opened, endpoint);
    const served: Served = { endpoint, opened, member, bindings: [], pending: [] };
    this.#served.set(endpoint.container, served);
    for (const name of endpoint.names) {
      const addresses = this.#addressesByName.get(name.toLowerCase()) ?? new Set();
      this.#addressesByName.set(name.toLowerCase(), addresses.add(endpoint.address));
    }
    return served;
  }

  #bindPending(served: Served, until: number): void {
    const now = this.#loop.timers.now;
    served.pending = served.pending.filter((mapping) => {
      try {
        served.bindings.push(bindPort(served.opened.gateway, mapping, served.endpoint.address));
        return false;
      } catch (error) {
        const again = errorCode(error) === 'EADDRINUSE' && now < until;
        if (!again) this.#log(describeBindError(error));
        return again;
      }
    });
    if (served.pending.length > 0) this.#loop.schedule(retryPause, () => this.#bindPending(served, until));
  }
}

function admit(opened: Opened, { address, mac }: ProcessEndpoint): Served['member'] {
  try {
    return opened.gateway.admit({ address, mac });
  } catch (error) {
    opened.close();
    throw error;
  }
}

function boundPorts(served: Served): BoundPort[] {
  return served.bindings.flatMap(({ ports }) => ports);
}
