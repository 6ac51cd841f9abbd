/**
 * Which container has which address of a network.
 *
 * A container keeps its address from its first start until it is removed, so that it comes back under the same one. When
 * the subnet runs out, containers that do not run give theirs up, the first in order of address first.
 */
import { contains, formatAddress, lastAddress, parseAddress, type Subnet } from './ipv4.ts';

interface Lease {
  readonly container: string;
  active: boolean;
}

export interface PoolOptions {
  /** Where addresses come from that nobody has asked for; absent: the whole subnet. */
  readonly range?: Subnet | undefined;
  /** Addresses that nobody gets. */
  readonly reserved?: readonly number[];
}

export class AddressPool {
  readonly #subnet: Subnet;
  readonly #range: Subnet;
  /** The gateway's, and others that are no container's. */
  readonly #reserved: ReadonlySet<number>;
  readonly #leases = new Map<number, Lease>();
  readonly #addresses = new Map<string, number>();
  /** Everything of the range up to here is leased; what is released sets it back. */
  #full: number;

  constructor(subnet: Subnet, gateway: number, { range, reserved = [] }: PoolOptions = {}) {
    this.#subnet = subnet;
    this.#range = range ?? subnet;
    this.#reserved = new Set([gateway, ...reserved]);
    this.#full = this.#range.base - 1;
  }

  /** Records a lease of an earlier life. False when the address is not (or no longer) to be had. */
  restore(container: string, address: number): boolean {
    if (!this.#isHost(address) || this.#leases.has(address) || this.#addresses.has(container)) return false;
    this.#lease(container, address);
    return true;
  }

  /**
   * An address for a container that starts: the wanted one, its former one, or the lowest free one. Returns also whose
   * lease was ended for it. Throws when the wanted one is taken or there is none.
   */
  acquire(container: string, wanted?: number): { address: number; evicted: string | undefined } {
    const former = this.#addresses.get(container);
    if (former !== undefined && (wanted === undefined || wanted === former)) {
      this.#leases.get(former)!.active = true;
      return { address: former, evicted: undefined };
    }
    const address = wanted ?? this.#lowestFree() ?? this.#lowestIdle();
    if (address === undefined) {
      throw refusal("no available IPv4 addresses on this network's address pool", 'EADDRNOTAVAIL');
    }
    if (!contains(this.#subnet, address)) {
      throw refusal(`no configured subnet contains IP address ${formatAddress(address)}`, 'EINVAL');
    }
    if (!this.#isHost(address)) {
      throw refusal(`invalid address ${formatAddress(address)}: it is no host's address of the network`, 'EINVAL');
    }
    const holder = this.#leases.get(address);
    if (holder?.active === true) throw refusal('Address already in use', 'EADDRINUSE');
    if (holder !== undefined) this.forget(holder.container);
    if (former !== undefined) this.forget(container);
    this.#lease(container, address).active = true;
    return { address, evicted: holder?.container };
  }

  /** The container has stopped; it keeps its lease as long as nobody needs the address. */
  release(container: string): void {
    const address = this.#addresses.get(container);
    if (address !== undefined) this.#leases.get(address)!.active = false;
  }

  /** The container is gone. */
  forget(container: string): void {
    const address = this.#addresses.get(container);
    if (address === undefined) return;
    this.#addresses.delete(container);
    this.#leases.delete(address);
    this.#full = Math.max(this.#range.base - 1, Math.min(this.#full, address - 1));
  }

  #lease(container: string, address: number): Lease {
    const lease = { container, active: false };
    this.#leases.set(address, lease);
    this.#addresses.set(container, address);
    return lease;
  }

  /** Neither the subnet's own address nor broadcast nor reserved. */
  #isHost(address: number): boolean {
    return (
      contains(this.#subnet, address) &&
      address !== this.#subnet.base &&
      address !== lastAddress(this.#subnet) &&
      !this.#reserved.has(address)
    );
  }

  #lowestFree(): number | undefined {
    const last = lastAddress(this.#range);
    while (this.#full < last) {
      const next = this.#full + 1;
      if (this.#isHost(next) && !this.#leases.has(next)) return next;
      this.#full = next;
    }
    return undefined;
  }

  #lowestIdle(): number | undefined {
    const idle = [...this.#leases]
      .filter(([address, lease]) => !lease.active && contains(this.#range, address))
      .map(([address]) => address);
    return idle.length === 0 ? undefined : Math.min(...idle);
  }
}

/** The number of an address that a user asked for. Throws EINVAL where the text is no address. */
export function requestedAddress(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address === undefined) throw refusal(`invalid IPv4 address: ${text}`, 'EINVAL');
  return address;
}

function refusal(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
