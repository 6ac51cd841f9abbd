/** The drivers that need no network of ours: `none`, a namespace with nothing but loopback, and `host`, the host's own. */
import { randomBytes } from 'node:crypto';
import { containerFiles, hostFiles } from './container-files.ts';
import type { EndpointRequest, NetworkDriver, PreparedEndpoint } from './driver.ts';
import { NetworkError } from './network-error.ts';
import { openUpPortsAndPing, raiseLoopback } from './namespace-plan.ts';

const loopback = '127.0.0.1';

/** @param groups how many group ids the container's user namespace maps, from 0 on */
export function noneDriver(groups: number): NetworkDriver {
  return plainDriver('none', (request) => ({
    namespace: 'private',
    files: containerFiles(request, { host: loopback }),
    configure: (plan) => {
      raiseLoopback(plan);
      openUpPortsAndPing(plan, groups);
    },
  }));
}

export function hostDriver(): NetworkDriver {
  return plainDriver('host', (request) => ({
    namespace: 'host',
    files: hostFiles(request, loopback),
    configure: () => undefined,
  }));
}

/** Nothing is leased, bound or kept. Published ports are ignored, as Docker does, which says so when it creates. */
function plainDriver(
  network: string,
  describe: (request: EndpointRequest) => Pick<PreparedEndpoint, 'namespace' | 'files' | 'configure'>,
): NetworkDriver {
  function refuse(): Promise<never> {
    return Promise.reject(
      new NetworkError('CONFLICT', `container cannot be connected to network ${network} or disconnected while it runs`),
    );
  }
  return {
    network,
    isOutward: false,
    prepare: (request) =>
      Promise.resolve({
        network,
        id: randomBytes(32).toString('hex'),
        interface: '',
        address: '',
        prefixLength: 0,
        gateway: '',
        address6: '',
        prefixLength6: 0,
        gateway6: '',
        ownHosts: '',
        mac: '',
        ports: [],
        needsAttach: false,
        ...describe(request),
      }),
    attach: () => undefined,
    detach: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    plug: refuse,
    unplug: refuse,
    promote: refuse,
    change: () => Promise.resolve(),
    recover: () => Promise.resolve(),
  };
}
