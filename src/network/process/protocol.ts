/**
 * What the network process and its clients say to each other over its unix socket: JSON lines. Each request has an `id`,
 * and is answered by one reply with the same.
 */
import type { FlowInfo, GatewayStats } from 'netstack';
import type { TrafficRules } from '../../base/traffic.ts';
import type { BoundPort, PortMapping } from '../port-mapping.ts';

/** What a network process is started with, as its one argument. */
export interface ProcessConfig {
  readonly network: string;
  /** What exactly is served: the network's id and the hub. A process that serves something else is replaced. */
  readonly identity: string;
  /** Name of the network's TAP in the hub; absent: each container has one. */
  readonly tap?: string;
  /** As `10.88.0.1`, `02:42:0a:58:00:01`. */
  readonly gateway: string;
  readonly gatewayMac: string;
  readonly prefixLength: number;
  /** With IPv6: as `fd00::1`, 64. */
  readonly gateway6?: string;
  readonly prefixLength6?: number;
  readonly mtu: number;
  /** Nothing of it reaches the outside. */
  readonly internal: boolean;
  /** The file of names of all networks (name-directory.ts). */
  readonly names: string;
  /** The folder of containers' folders, where decisions about their flows are put on record. */
  readonly containers: string;
  readonly socket: string;
  readonly lock: string;
  /** How long it stays without containers, in ms; with containers but without a client, twelve times as long. */
  readonly idle: number;
}

/** Fds that a network process starts with, beside the standard ones. */
export const processFds = {
  /** /dev/net/tun, opened in the hub; /dev/null where each container has its TAP. */
  tun: 3,
  /** A pidfd of the holder: when it ends, so does the hub. */
  holder: 4,
} as const;

/** Written to standard output once the socket listens. */
export const readyLine = 'ready\n';

/** Exit status when another process serves the network already. */
export const alreadyServed = 75;

/** A container as the network process knows it. */
export interface ProcessEndpoint {
  readonly container: string;
  readonly address: string;
  readonly address6?: string;
  readonly mac: string;
  readonly names: readonly string[];
  /** Names by which it alone finds others: alias -> name. */
  readonly links?: Readonly<Record<string, string>>;
  readonly traffic?: TrafficRules;
  /** Who is asked for it about other names than containers', instead of the host's resolvers. */
  readonly resolvers?: readonly string[];
  readonly ports: readonly PortMapping[];
  /** Its own TAP: the name, and the descriptor of another process of ours that it is to be taken from. */
  readonly tap?: { readonly name: string; readonly pid: number; readonly fd: number };
}

/** Method -> its parameters and result. */
export interface Methods {
  /** Who is there. */
  hello: { params: Record<string, never>; result: { identity: string; pid: number } };
  /** Serves the container and binds its ports, all or none. One of the same id is replaced. */
  add: { params: { endpoint: ProcessEndpoint }; result: { ports: BoundPort[] } };
  /** Other names, links and rules of traffic for a container that is served; its addresses and ports stay as they are. */
  update: { params: { endpoint: ProcessEndpoint }; result: Record<string, never> };
  /** Closes the container's ports. */
  remove: { params: { container: string }; result: Record<string, never> };
  /**
   * Serves exactly these containers. Ports that are still taken (by a predecessor that is about to end) are tried again
   * for some seconds.
   */
  synchronize: { params: { endpoints: ProcessEndpoint[] }; result: Record<string, never> };
  /** The flows that are open now. */
  flows: { params: Record<string, never>; result: { flows: ContainerFlow[]; stats: ProcessStatus['stats'] } };
  status: { params: Record<string, never>; result: ProcessStatus };
  /** Ends the process. */
  leave: { params: Record<string, never>; result: Record<string, never> };
}

export type Method = keyof Methods;

/** A flow and the container it is of; empty where that has just gone. */
export type ContainerFlow = Omit<FlowInfo, 'container'> & { readonly container: string; readonly address: string };

export interface ProcessStatus {
  readonly pid: number;
  readonly endpoints: readonly { container: string; address: string; ports: readonly BoundPort[]; pending: number }[];
  /** netstack's counters, of each TAP. */
  readonly stats: Readonly<Record<string, GatewayStats>>;
}

/** Why a request was refused. `port` says which one could not be bound. */
export interface Refusal {
  readonly message: string;
  readonly code?: string;
  readonly port?: { readonly hostAddress: string; readonly hostPort: number };
}

export type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: Refusal });
