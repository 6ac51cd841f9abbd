/**
 * Which host address stands behind an address inside, and the reverse. Only one is translated: the gateway's own stands for the host's
 * loopback (where that is allowed), since 127.0.0.1 inside is the container itself and as a source would be dropped by its kernel.
 */
import type { Stack } from '../stack/stack.ts';
import { IpAddress } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import type { OutwardFlow } from './gateway-options.ts';

const LOOPBACK = { 4: IpAddress.from('127.0.0.1'), 6: IpAddress.from('::1') } as const;

export class Translation {
  readonly #stack: Stack;
  readonly #hostLoopback: boolean;
  readonly #admits: ((flow: OutwardFlow) => boolean) | undefined;

  constructor(stack: Stack, hostLoopback: boolean, admits?: (flow: OutwardFlow) => boolean) {
    this.#stack = stack;
    this.#hostLoopback = hostLoopback;
    this.#admits = admits;
  }

  /** The host's address for a destination of a container; undefined: not to be reached from inside, or not permitted. */
  outward(
    destination: IpAddress,
    container: IpAddress,
    protocol: OutwardFlow['protocol'],
    port: number,
  ): IpAddress | undefined {
    const address = this.#reachable(destination);
    if (address === undefined || this.#admits === undefined) return address;
    return this.#admits({ protocol, container, destination, port }) ? address : undefined;
  }

  isOurs(destination: IpAddress): boolean {
    return this.#stack.isLocal(destination);
  }

  #reachable(destination: IpAddress): IpAddress | undefined {
    if (this.#stack.isLocal(destination)) return this.#hostLoopback ? LOOPBACK[destination.version] : undefined;
    const [first] = destination.bytes;
    // 0.0.0.0/8 is "this host" to connect(2), and 127.0.0.0/8 is: neither may be reached under its own name (RFC 1122, 3.2.1.3).
    if (destination.isLoopback || destination.isMulticast || destination.isUnspecified) return undefined;
    if (destination.version === 4 && first === 0) return undefined;
    if (destination.unmapped.version !== destination.version) return undefined;
    if (destination.version === 6 && destination.isLinkLocal) return undefined;
    return this.#stack.subnets.some((subnet) => subnet.contains(destination)) ? undefined : destination;
  }

  /** The source under which a container sees a peer of the host; the gateway's where it can't be the peer's own. */
  inward(peer: IpAddress, version: IpVersion): IpAddress {
    const gateway = this.gateway(version);
    const foreign = peer.version !== version || peer.isLoopback || peer.isLinkLocal || peer.isUnspecified;
    return foreign || this.#stack.subnets.some((subnet) => subnet.contains(peer)) ? gateway : peer;
  }

  /** Our address of this version. */
  gateway(version: IpVersion): IpAddress {
    return this.#stack.subnets.find(({ address }) => address.version === version)!.address;
  }
}
