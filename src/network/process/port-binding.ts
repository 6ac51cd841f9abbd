/** Binding one published port of a container on all the host addresses that it means. */
import type { Gateway, PublishedPort } from 'netstack';
import { errorCode } from '../../base/error-code.ts';
import { type BoundPort, formatHostPort, type PortMapping } from '../port-mapping.ts';

/** What binding needs of netstack's Gateway. */
export type Publisher = Pick<Gateway, 'publish'>;

export interface Binding {
  readonly ports: readonly BoundPort[];
  close(): void;
}

/** A port that could not be bound: Node's error, and where. */
export interface BindError extends Error {
  readonly code?: string;
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** How often another free port is drawn, when the one that IPv4 got is taken in IPv6. */
const draws = 16;

/** Hosts without IPv6: no such family, or disabled by sysctl. */
const withoutIPv6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** What a port leads to: peers that come by IPv6 go to the IPv6 address, where there is one. */
export interface ContainerAddresses {
  readonly address: string;
  readonly address6?: string;
}

/** Binds a mapping: the first port of its range that is free on all its addresses. Throws a BindError. */
export function bindPort(publisher: Publisher, mapping: PortMapping, container: ContainerAddresses): Binding {
  const last = mapping.hostPortEnd ?? mapping.hostPort;
  const attempts = mapping.hostPort === 0 ? draws : last - mapping.hostPort + 1;
  for (let attempt = 0; ; attempt++) {
    try {
      const hostPort = mapping.hostPort === 0 ? 0 : mapping.hostPort + attempt;
      return bindEverywhere(publisher, mapping, hostPort, container);
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE' || attempt + 1 >= attempts) throw error;
    }
  }
}

function bindEverywhere(
  publisher: Publisher,
  mapping: PortMapping,
  hostPort: number,
  container: ContainerAddresses,
): Binding {
  const open: PublishedPort[] = [];
  function close(): void {
    for (const port of open.splice(0)) port.close();
  }
  try {
    for (const hostAddress of mapping.hostAddress === undefined ? ['0.0.0.0', '::'] : [mapping.hostAddress]) {
      // With "any free port", IPv6 gets the one that IPv4 drew.
      const port = open[0]?.hostPort ?? hostPort;
      try {
        const { protocol, containerPort } = mapping;
        const containerAddress = hostAddress.includes(':')
          ? (container.address6 ?? container.address)
          : container.address;
        open.push(publisher.publish({ protocol, hostAddress, hostPort: port, containerAddress, containerPort }));
      } catch (error) {
        if (open.length > 0 && withoutIPv6.has(errorCode(error) ?? '')) continue;
        throw Object.assign(error as Error, { hostAddress, hostPort: port });
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  const ports = open.map(({ protocol, hostAddress, hostPort: bound }) => ({
    protocol,
    hostAddress,
    hostPort: bound,
    containerPort: mapping.containerPort,
  }));
  return { ports, close };
}

/** In words, for the log. */
export function describeBindError(error: unknown): string {
  const { hostAddress, hostPort, message } = error as BindError;
  return `Cannot publish ${formatHostPort(hostAddress, hostPort)}: ${message}`;
}
