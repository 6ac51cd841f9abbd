/** The subnets of a network and the addresses in them. */
import { AddressPool } from './address-pool.ts';
import { contains, parseAddress, parseSubnet, type Subnet } from './ipv4.ts';
import { contains6, formatAddress6, parseAddress6, parseSubnet6, type Subnet6 } from './ipv6.ts';
import type { NetworkRecord } from './records.ts';

/**
 * A container's IPv6 address follows from its IPv4 one: the place that it has in the one subnet, it has in the other.
 * So leases are of IPv4 addresses alone.
 */
export class SubnetPair {
  readonly #record: NetworkRecord;
  readonly #subnet: Subnet;
  readonly #gateway: number;
  readonly #subnet6: Subnet6 | undefined;

  /** Throws where the record makes no sense. */
  constructor(record: NetworkRecord) {
    const subnet = parseSubnet(record.subnet);
    const gateway = parseAddress(record.gateway);
    if (subnet === undefined || gateway === undefined) throw new Error(`Cannot use network ${record.name}: bad record`);
    this.#record = record;
    this.#subnet = subnet;
    this.#gateway = gateway;
    this.#subnet6 = record.subnet6 === undefined ? undefined : parseSubnet6(record.subnet6);
  }

  get prefixLength(): number {
    return this.#subnet.prefixLength;
  }

  /** 0 without IPv6. */
  get prefixLength6(): number {
    return this.#subnet6?.prefixLength ?? 0;
  }

  /** Whether an address as text lies in one of them. */
  contains(text: string): boolean {
    const [address, address6] = [parseAddress(text), parseAddress6(text)];
    if (address !== undefined) return contains(this.#subnet, address);
    return address6 !== undefined && this.#subnet6 !== undefined && contains6(this.#subnet6, address6);
  }

  createPool(): AddressPool {
    const { ipRange, auxAddresses = {} } = this.#record;
    return new AddressPool(this.#subnet, this.#gateway, {
      range: ipRange === undefined ? undefined : parseSubnet(ipRange),
      reserved: Object.values(auxAddresses).flatMap((text) => parseAddress(text) ?? []),
    });
  }

  /** The IPv6 address that goes with an IPv4 one; undefined without IPv6. */
  address6Of(address: number, taken: ReadonlySet<string | undefined>): string | undefined {
    if (this.#subnet6 === undefined) return undefined;
    const { base, prefixLength } = this.#subnet6;
    const place = base + BigInt(address - this.#subnet.base);
    // Taken are the gateway's, and what others have asked for: the next places are those beyond all of IPv4's.
    for (let candidate = place; contains6({ base, prefixLength }, candidate); candidate += 1n << 32n) {
      const text = formatAddress6(candidate);
      if (text !== this.#record.gateway6 && !taken.has(text)) return text;
    }
    throw refusal("no available IPv6 addresses on this network's address pool", 'EADDRNOTAVAIL');
  }

  /** An address that a user asked for, in its canonical text. Throws EINVAL and EADDRINUSE. */
  requestedAddress6(text: string | undefined, taken: ReadonlySet<string | undefined>): string | undefined {
    if (text === undefined) return undefined;
    const address = parseAddress6(text);
    if (address === undefined) throw refusal(`invalid IPv6 address: ${text}`, 'EINVAL');
    if (this.#subnet6 === undefined || !contains6(this.#subnet6, address) || address === this.#subnet6.base) {
      throw refusal(`no configured subnet contains IP address ${text}`, 'EINVAL');
    }
    const canonical = formatAddress6(address);
    if (canonical === this.#record.gateway6 || taken.has(canonical))
      throw refusal('Address already in use', 'EADDRINUSE');
    return canonical;
  }
}

function refusal(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
