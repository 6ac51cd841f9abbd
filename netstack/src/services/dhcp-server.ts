/**
 * A DHCPv4 server (RFC 2131) for one subnet. A MAC address gets the address that its owner reserved for it, else the one it had before,
 * else a free one. Leases are bounded; the oldest unused one makes room.
 */
import { IpAddress, Subnet, formatMac, wordAddress } from '../wire/address.ts';
import { DHCP_OPTION, DHCP_TYPE, buildDhcp, parseDhcp } from '../wire/dhcp.ts';
import type { DhcpRequest } from '../wire/dhcp.ts';

const LEASE_S = 86_400;
const MAX_LEASES = 4096;

export interface DhcpServerOptions {
  /** Our address and its subnet; we are router and DNS server. */
  readonly subnet: Subnet;
  readonly dns: IpAddress;
  readonly mtu: number;
  /** The first address to hand out; default: 100 beyond the subnet's first, or the first. */
  readonly firstAddress?: IpAddress;
  /** The address set aside for a MAC address. */
  readonly reserved: (mac: Uint8Array) => IpAddress | undefined;
  /** Whether somebody uses the address already. */
  readonly inUse: (address: IpAddress) => boolean;
}

export class DhcpServer {
  readonly #options: DhcpServerOptions;
  /** MAC -> address, in order of use. */
  readonly #leases = new Map<string, IpAddress>();
  readonly #taken = new Set<string>();
  readonly #declined = new Set<string>();

  constructor(options: DhcpServerOptions) {
    this.#options = options;
  }

  /** Takes a message of a client; returns the reply, to be broadcast (RFC 2131, 4.1: a client may not have its address yet). */
  handle(message: Uint8Array): Uint8Array | undefined {
    const request = parseDhcp(message);
    if (!request) return undefined;
    const own = this.#options.subnet.address;
    if (request.type === DHCP_TYPE.DISCOVER) {
      const address = this.#choose(request);
      return address && this.#reply(request, DHCP_TYPE.OFFER, address);
    }
    if (request.type === DHCP_TYPE.REQUEST) {
      // RFC 2131, 4.3.2: another server was chosen.
      if (request.server && !request.server.equals(own)) return undefined;
      const wanted = request.requested ?? request.clientAddress;
      const address = this.#choose(request);
      if (address?.equals(wanted)) return this.#reply(request, DHCP_TYPE.ACK, address);
      const server: [number, Uint8Array] = [DHCP_OPTION.SERVER, own.bytes];
      return buildDhcp(request, DHCP_TYPE.NAK, { yourAddress: undefined, serverAddress: own, options: [server] });
    }
    if (request.type === DHCP_TYPE.INFORM) return this.#reply(request, DHCP_TYPE.ACK, undefined);
    if (request.type === DHCP_TYPE.RELEASE) this.#release(request.mac);
    if (request.type === DHCP_TYPE.DECLINE && request.requested) {
      this.#release(request.mac);
      if (this.#declined.size < MAX_LEASES) this.#declined.add(request.requested.toString());
    }
    return undefined;
  }

  #reply(request: DhcpRequest, type: number, address: IpAddress | undefined): Uint8Array {
    const { subnet, dns, mtu } = this.#options;
    const lease = new Uint8Array(4);
    new DataView(lease.buffer).setUint32(0, LEASE_S);
    const options: [number, Uint8Array][] = [
      [DHCP_OPTION.SERVER, subnet.address.bytes],
      [DHCP_OPTION.MASK, subnet.mask.bytes],
      [DHCP_OPTION.ROUTER, subnet.address.bytes],
      [DHCP_OPTION.DNS, dns.bytes],
      [DHCP_OPTION.BROADCAST, subnet.broadcast.bytes],
      [DHCP_OPTION.MTU, Uint8Array.of(mtu >> 8, mtu & 0xff)],
    ];
    if (address) options.push([DHCP_OPTION.LEASE_TIME, lease]);
    return buildDhcp(request, type, { yourAddress: address, serverAddress: subnet.address, options });
  }

  #choose({ mac, requested, clientAddress }: DhcpRequest): IpAddress | undefined {
    const reserved = this.#options.reserved(mac);
    if (reserved) return reserved;
    const key = formatMac(mac);
    const held = this.#leases.get(key);
    if (held) return held;
    const wish = requested ?? (clientAddress.isUnspecified ? undefined : clientAddress);
    const address = wish && this.#isFree(wish) ? wish : this.#firstFree();
    if (!address) return undefined;
    if (this.#leases.size >= MAX_LEASES) this.#release(undefined);
    this.#leases.set(key, address);
    this.#taken.add(address.toString());
    return address;
  }

  #firstFree(): IpAddress | undefined {
    const { subnet, firstAddress } = this.#options;
    const network = subnet.network.words[0]!;
    const broadcast = subnet.broadcast.words[0]!;
    const hundredth = network + 100 < broadcast ? network + 100 : network + 1;
    const first = firstAddress?.words[0] ?? hundredth;
    // As far as leases and declined addresses can reach, and then from the subnet's beginning.
    const span = Math.min(broadcast - network, 3 * MAX_LEASES);
    for (let step = 0; step < span; step++) {
      const word = first + step < broadcast ? first + step : network + 1 + (first + step - broadcast);
      const address = wordAddress(word);
      if (this.#isFree(address)) return address;
    }
    return undefined;
  }

  #isFree(address: IpAddress): boolean {
    const { subnet, dns, inUse } = this.#options;
    const text = address.toString();
    if (!subnet.contains(address) || address.equals(subnet.address) || address.equals(dns)) return false;
    if (address.equals(subnet.network) || address.equals(subnet.broadcast)) return false;
    return !this.#taken.has(text) && !this.#declined.has(text) && !inUse(address);
  }

  /** Forgets a lease; without a MAC, the oldest. */
  #release(mac: Uint8Array | undefined): void {
    const key = mac ? formatMac(mac) : this.#leases.keys().next().value;
    const address = key === undefined ? undefined : this.#leases.get(key);
    if (key === undefined || !address) return;
    this.#leases.delete(key);
    this.#taken.delete(address.toString());
  }
}
