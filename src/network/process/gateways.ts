/** netstack's gateways of one network: one behind the TAP that all containers share, or one behind each container's own. */
import { closeSync } from 'node:fs';
import {
  attachTap,
  type EventLoop,
  type FlowInfo,
  Gateway,
  type GatewayOptions,
  hostResolvers,
  takeFd,
} from 'netstack';
import { type ProcessConfig, type ProcessEndpoint, processFds } from './protocol.ts';

/** What endpoints need of a gateway. */
export type EndpointGateway = Pick<Gateway, 'publish' | 'admit' | 'limit'>;

/** A gateway for one endpoint, until it is closed. */
export interface Opened {
  readonly gateway: EndpointGateway;
  close(): void;
}

export interface Gateways {
  open(endpoint: ProcessEndpoint): Opened;
  /** Counters of each gateway, by the name of its TAP. */
  stats(): Record<string, ReturnType<Gateway['stats']>>;
  flows(): FlowInfo[];
}

/** What is told of at once: an answer's line is bounded. */
const maxFlows = 20_000;

type Settings = Pick<GatewayOptions, 'names' | 'log' | 'dns' | 'admits'> & {
  /** Resolvers for the container with that address; undefined: the host's. */
  readonly resolversOf: (address: string) => readonly string[] | undefined;
};

/** Takes the network's TAP over, where it has one. */
export function openGateways(loop: EventLoop, config: ProcessConfig, settings: Settings): Gateways {
  const ofHost = hostResolvers();
  const { gateway6, prefixLength6 } = config;
  function create(fd: number, name: string): Gateway {
    return new Gateway({
      loop,
      tap: attachTap(fd, name),
      address: config.gateway,
      prefix: config.prefixLength,
      mac: config.gatewayMac,
      ...(gateway6 === undefined || prefixLength6 === undefined ? {} : { address6: gateway6, prefix6: prefixLength6 }),
      mtu: config.mtu,
      hostLoopback: !config.internal,
      resolvers: (from) => (config.internal ? [] : (settings.resolversOf(from) ?? ofHost())),
      ...settings,
      ...(config.internal ? { admits: () => false } : {}),
    });
  }
  return config.tap === undefined ? ownGateways(create) : sharedGateway(create(processFds.tun, config.tap), config.tap);
}

function sharedGateway(gateway: Gateway, name: string): Gateways {
  return {
    open: () => ({ gateway, close: () => undefined }),
    stats: () => ({ [name]: gateway.stats() }),
    flows: () => gateway.flows(maxFlows),
  };
}

function ownGateways(create: (fd: number, name: string) => Gateway): Gateways {
  const open = new Map<string, Gateway>();
  return {
    open({ container, tap }) {
      if (tap === undefined) throw new Error(`Cannot serve container ${container}: it has no TAP`);
      const fd = takeFd(tap.pid, tap.fd);
      try {
        const gateway = create(fd, tap.name);
        open.set(tap.name, gateway);
        return {
          gateway,
          close: () => {
            open.delete(tap.name);
            gateway.close();
            closeSync(fd);
          },
        };
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
    stats: () => Object.fromEntries([...open].map(([name, gateway]) => [name, gateway.stats()])),
    flows: () => [...open.values()].flatMap((gateway) => gateway.flows(maxFlows)),
  };
}
