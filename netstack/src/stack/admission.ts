/**
 * Which frames are believed. A container's root owns its interface and can send anything, so each frame's pair of source MAC and
 * source address is checked before anything acts on it.
 *
 * Without members: an address must lie in a subnet of ours and be nobody else's; whoever speaks with it is learned, as on any LAN.
 * With members: only their pairs are served, so one container can't use another's address or answer for it.
 * Link-local IPv6 addresses are chosen by the container; they are believed of every member's MAC.
 */
import { IpAddress, Subnet, macNumber } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import type { Neighbours } from './neighbours.ts';

export class Admission {
  readonly #neighbours: Neighbours;
  readonly #subnets: readonly Subnet[];
  readonly #locals: readonly IpAddress[];
  /** MAC address -> number of its member addresses. */
  readonly #members = new Map<number, number>();
  #strict = false;

  constructor(neighbours: Neighbours, subnets: readonly Subnet[], locals: readonly IpAddress[]) {
    this.#neighbours = neighbours;
    this.#subnets = subnets;
    this.#locals = locals;
  }

  /** Ties an address to a MAC; returns how to untie it. From now on only members are admitted. */
  pin(address: IpAddress, mac: Uint8Array): () => void {
    const number = macNumber(new DataView(mac.buffer, mac.byteOffset), 0);
    const neighbour = this.#neighbours.get(address);
    if (!neighbour)
      throw Object.assign(new Error(`Too many neighbours to admit ${address.toString()}`), { code: 'ENOBUFS' });
    this.#strict = true;
    neighbour.pinned = number;
    if (neighbour.macAsNumber !== number) neighbour.resolved = false;
    this.#members.set(number, (this.#members.get(number) ?? 0) + 1);
    return () => {
      if (neighbour.pinned === number) neighbour.pinned = -1;
      const left = (this.#members.get(number) ?? 0) - 1;
      if (left > 0) this.#members.set(number, left);
      else this.#members.delete(number);
    };
  }

  isPinned(address: IpAddress, mac: Uint8Array): boolean {
    return this.#neighbours.get(address)?.pinned === macNumber(new DataView(mac.buffer, mac.byteOffset), 0);
  }

  /** Whether a container may use the address, as far as the subnets go. */
  isAssignable(address: IpAddress): boolean {
    if (this.#locals.some((local) => local.equals(address))) return false;
    if (address.version === 6 && address.isLinkLocal) return true;
    const subnet = this.#subnets.find((candidate) => candidate.contains(address));
    if (!subnet || address.isMulticast || address.isUnspecified) return false;
    // RFC 3021: a /31 has no broadcast address.
    return (
      address.version === 6 ||
      subnet.prefix >= 31 ||
      !(subnet.broadcast.equals(address) || subnet.network.equals(address))
    );
  }

  /** Whether the frame with this source MAC may carry the source address at `at`. Learns the pair when it may. */
  admits(view: DataView, macAt: number, at: number, version: IpVersion): boolean {
    const mac = macNumber(view, macAt);
    let neighbour = this.#neighbours.find(view, at, version);
    if (neighbour === undefined) {
      const address = IpAddress.read(new Uint8Array(view.buffer), view.byteOffset + at, version);
      if (!this.isAssignable(address)) return false;
      if (this.#strict && !this.#isOwnLinkLocal(address, mac)) return false;
      neighbour = this.#neighbours.get(address);
      if (neighbour === undefined) return false;
    } else if (
      neighbour.pinned >= 0 ? neighbour.pinned !== mac : this.#strict && !this.#isOwnLinkLocal(neighbour.address, mac)
    )
      return false;
    neighbour.learn(view, macAt, mac);
    return true;
  }

  /** Whether a container with this MAC is served at all (for DHCP and duplicate address detection, which have no address yet). */
  admitsMac(view: DataView, macAt: number): boolean {
    return !this.#strict || this.#members.has(macNumber(view, macAt));
  }

  #isOwnLinkLocal(address: IpAddress, mac: number): boolean {
    return address.version === 6 && address.isLinkLocal && this.#members.has(mac);
  }
}
