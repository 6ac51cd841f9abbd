/** A container's part in a network. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';
import type { NetworkDriver, PreparedEndpoint } from '../network/driver.ts';
import type { PortMapping } from '../network/port-mapping.ts';
import type { NetworkNamespace } from '../runtime/launch-input.ts';
import { findContainer, type Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';

/** How a start takes part in a network, whichever kind. */
export interface Networking {
  readonly namespace: NetworkNamespace;
  readonly endpoint: PreparedEndpoint | undefined;
  readonly etcFolder: string;
  attach(pid: number): void;
  leave(): Promise<void>;
}

/** Makes a container's endpoint ready, and its files in /etc. `leave` undoes it. */
export async function joinNetwork(context: EngineContext, container: Container): Promise<Networking> {
  const { network, ports, extraHosts, dns, options } = container.config.request;
  const { id, name } = container.config;
  if (network.startsWith('container:')) return shareNetwork(context, network.slice('container:'.length));

  const driver = await findDriver(context, network);
  const hostname = options.hostname ?? id.slice(0, 12);
  const endpoint = await driver.prepare({
    container: id,
    name,
    hostname,
    ports: ports.map(({ protocol, hostIp, hostPorts: [first, last], containerPort }): PortMapping => ({
      protocol,
      ...(hostIp === '' ? {} : { hostAddress: hostIp }),
      hostPort: first,
      ...(last === first ? {} : { hostPortEnd: last }),
      containerPort,
    })),
    extraHosts,
    dns: Object.fromEntries(Object.entries(dns).filter(([, values]) => values.length > 0)),
  });
  writeFileSync(join(container.folder, 'hosts'), endpoint.files.hosts, { mode: 0o644 });
  writeFileSync(join(container.folder, 'resolv.conf'), endpoint.files.resolvConf, { mode: 0o644 });
  writeFileSync(join(container.folder, 'hostname'), `${hostname}\n`, { mode: 0o644 });
  return {
    namespace: endpoint.namespace === 'host' ? { kind: 'host' } : { kind: 'new' },
    endpoint,
    etcFolder: container.folder,
    attach: (pid) => {
      if (endpoint.needsAttach) driver.attach(id, pid);
    },
    leave: () => driver.detach(id),
  };
}

function shareNetwork({ paths }: EngineContext, nameOrId: string): Networking {
  const other = findContainer(paths, nameOrId);
  if (other.state.status !== 'running' || other.state.process === undefined) {
    throw new EngineError('CONFLICT', `cannot join network of a non running container: ${other.config.id}`);
  }
  return {
    namespace: { kind: 'join', pid: other.state.process.pid },
    endpoint: undefined,
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
    if (errorCode(error) === 'NOT_FOUND')
      throw new EngineError('NOT_FOUND', (error as Error).message, { cause: error });
    throw error;
  }
}
