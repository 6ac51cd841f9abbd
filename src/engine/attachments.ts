/** Which networks a container is on, as its records say. */
import { defaultNetwork } from '../network/stored-networks.ts';
import type { TrafficRules } from '../base/traffic.ts';
import type { ContainerConfig, EndpointState, NetworkAttachment } from './container.ts';

/** What a container's records say of its networks, in the order in which it joined them. */
type Attached = Pick<ContainerConfig, 'request' | 'networks'>;

/** Its networks; none where it shares another container's. */
export function attachmentsOf({ request, networks }: Attached): readonly NetworkAttachment[] {
  if (request.network.startsWith('container:')) return [];
  return networks ?? request.networks ?? [{ network: request.network }];
}

/** Whether containers of that network find each other by name, and may ask for addresses. */
export function isUserDefined(network: string): boolean {
  return network !== defaultNetwork && network !== 'host' && network !== 'none';
}

/** The names by which other containers of a user-defined network find a container: Docker's DNSNames. */
export function namesOn(config: ContainerConfig, { network, aliases = [] }: NetworkAttachment): string[] {
  if (!isUserDefined(network)) return [];
  const { id, name, request } = config;
  const { hostname } = request.options;
  return [...new Set([name, ...aliases, id.slice(0, 12), ...(hostname === undefined ? [] : [hostname])])];
}

/** What its traffic to the outside is held to. */
export function trafficOf({ request, traffic }: Pick<ContainerConfig, 'request' | 'traffic'>): TrafficRules {
  return traffic ?? request.traffic ?? {};
}

/** The first interface name that is free. */
export function nextInterface(endpoints: readonly Pick<EndpointState, 'interface'>[]): string {
  const taken = new Set(endpoints.map((endpoint) => endpoint.interface));
  for (let number = 0; ; number++) {
    const name = `eth${number}`;
    if (!taken.has(name)) return name;
  }
}
