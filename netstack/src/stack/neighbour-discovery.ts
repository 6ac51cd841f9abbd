/**
 * Neighbour discovery for IPv6 (RFC 4861): answers solicitations for our addresses, solicits others', and advertises us as the
 * link's router with its prefix for address autoconfiguration (RFC 4862) and as DNS server (RFC 8106).
 */
import { CHECKSUM, HEADROOM, SEGMENTATION } from '../link/device.ts';
import { IpAddress } from '../wire/address.ts';
import type { Subnet } from '../wire/address.ts';
import { addBytes, finish } from '../wire/checksum.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../wire/ethernet.ts';
import { ICMP, ICMPV6_TYPE } from '../wire/icmp.ts';
import { PROTOCOL, pseudoHeaderSum } from '../wire/ipv4.ts';
import { IPV6, writeIpv6 } from '../wire/ipv6.ts';
import type { IpPacket } from './packet.ts';
import type { Stack } from './stack.ts';
import { Timer } from './timer-queue.ts';

/** Solicitation and advertisement: header and flags, target, then options. */
const NEIGHBOUR = { size: 24, target: 8 } as const;
const OPTION = { SOURCE_LINK: 1, TARGET_LINK: 2, PREFIX: 3, MTU: 5, DNS: 25 } as const;
/** Router, solicited, override (RFC 4861, 4.4). */
const FLAG = { ROUTER: 0x80000000, SOLICITED: 0x40000000, OVERRIDE: 0x20000000 } as const;
/** RFC 4861, 7.1.1: a packet of neighbour discovery that crossed a router is not believed. */
const HOP_LIMIT = 255;
const ADVERTISEMENT_INTERVAL_MS = 200_000;
const ROUTER_LIFETIME_S = 1800;
const PREFIX_VALID_S = 86_400;
const PREFIX_PREFERRED_S = 14_400;
const ALL_NODES = IpAddress.from('ff02::1');

/** fe80::/64 with the interface identifier made of the MAC address (RFC 4291, appendix A). */
export function linkLocalAddress(mac: Uint8Array): IpAddress {
  const [a, b, c, d, e, f] = mac;
  return new IpAddress(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a! ^ 2, b!, c!, 0xff, 0xfe, d!, e!, f!));
}

export class NeighbourDiscovery {
  readonly #stack: Stack;
  readonly #subnet: Subnet;
  readonly #linkLocal: IpAddress;
  readonly #timer: Timer;

  constructor(stack: Stack, subnet: Subnet) {
    this.#stack = stack;
    this.#subnet = subnet;
    this.#linkLocal = linkLocalAddress(stack.mac);
    this.#timer = new Timer(stack.timers, () => {
      this.#advertise(ALL_NODES);
      this.#timer.set(ADVERTISEMENT_INTERVAL_MS);
    });
    this.#timer.set(0);
  }

  close(): void {
    this.#timer.dispose();
  }

  input(packet: IpPacket, type: number): void {
    const { view, payloadStart, end, ttl } = packet;
    if (ttl !== HOP_LIMIT || view.getUint8(payloadStart + ICMP.code) !== 0) return;
    if (type === ICMPV6_TYPE.ROUTER_SOLICITATION) this.#advertise(ALL_NODES);
    else if (type === ICMPV6_TYPE.NEIGHBOUR_SOLICITATION && end - payloadStart >= NEIGHBOUR.size) this.#answer(packet);
    else if (type === ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT && end - payloadStart >= NEIGHBOUR.size) this.#learn(packet);
  }

  /** Asks who has the address (RFC 4861, 7.2.2), by the group that its owner listens to. */
  solicit(address: IpAddress): void {
    const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...address.bytes.subarray(13));
    const body = new Uint8Array(24);
    body.set(address.bytes);
    this.#linkOption(body, 16, OPTION.SOURCE_LINK);
    this.#send(new IpAddress(group), groupMac(group), ICMPV6_TYPE.NEIGHBOUR_SOLICITATION, 0, body);
  }

  /** An advertisement may speak for another address of its sender; that pair has to be admissible as well. */
  #learn({ view, payloadStart, end }: IpPacket): void {
    const option = payloadStart + NEIGHBOUR.size;
    if (option + 8 > end || view.getUint8(option) !== OPTION.TARGET_LINK || view.getUint8(option + 1) !== 1) return;
    this.#stack.admission.admits(view, option + 2, payloadStart + NEIGHBOUR.target, 6);
  }

  #answer(packet: IpPacket): void {
    const target = IpAddress.read(packet.bytes, packet.payloadStart + NEIGHBOUR.target, 6);
    if (!this.#stack.isLocal(target)) return;
    const body = new Uint8Array(24);
    body.set(target.bytes);
    this.#linkOption(body, 16, OPTION.TARGET_LINK);
    const source = packet.source();
    const flags = FLAG.ROUTER + FLAG.OVERRIDE;
    const type = ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT;
    const neighbour = source.isUnspecified ? undefined : this.#stack.neighbours.get(source);
    if (neighbour) this.#send(source, neighbour.mac, type, flags + FLAG.SOLICITED, body);
    else this.#send(ALL_NODES, groupMac(ALL_NODES.bytes), type, flags, body);
  }

  #advertise(to: IpAddress): void {
    const prefixLength = this.#subnet.prefix;
    const body = new Uint8Array(8 + 8 + 32 + 8 + 24);
    const view = new DataView(body.buffer);
    let at = 8; // reachable time, retransmission timer: unspecified
    this.#linkOption(body, at, OPTION.SOURCE_LINK);
    at += 8;
    body.set([OPTION.PREFIX, 4, prefixLength, 0xc0], at); // on-link, autonomous
    view.setUint32(at + 4, PREFIX_VALID_S);
    view.setUint32(at + 8, PREFIX_PREFERRED_S);
    this.#subnet.address.bytes.forEach((byte, index) => {
      const bits = Math.min(8, Math.max(0, prefixLength - 8 * index));
      body[at + 16 + index] = byte & (0xff << (8 - bits));
    });
    at += 32;
    body.set([OPTION.MTU, 1], at);
    view.setUint32(at + 4, this.#stack.mtu);
    at += 8;
    body.set([OPTION.DNS, 3], at);
    view.setUint32(at + 4, ROUTER_LIFETIME_S);
    body.set(this.#subnet.address.bytes, at + 8);
    this.#send(to, groupMac(to.bytes), ICMPV6_TYPE.ROUTER_ADVERTISEMENT, 64 * 0x1000000 + ROUTER_LIFETIME_S, body);
  }

  #linkOption(body: Uint8Array, at: number, option: number): void {
    body[at] = option;
    body[at + 1] = 1;
    body.set(this.#stack.mac, at + 2);
  }

  #send(to: IpAddress, mac: Uint8Array, type: number, rest: number, body: Uint8Array): void {
    const { output, device } = this.#stack;
    const { bytes, view } = output;
    const length = ICMP.size + body.length;
    const ip = HEADROOM + ETHERNET.size;
    const at = ip + IPV6.size;
    const source = to.isLinkLocal || to.isMulticast ? this.#linkLocal : this.#subnet.address;
    output.start = HEADROOM;
    writeEthernet(bytes, HEADROOM, mac, this.#stack.mac, ETHER_TYPE.IPV6);
    writeIpv6(bytes, view, ip, {
      payloadLength: length,
      nextHeader: PROTOCOL.ICMPV6,
      hopLimit: HOP_LIMIT,
      source,
      destination: to,
    });
    view.setUint16(at, type << 8);
    view.setUint16(at + ICMP.checksum, 0);
    view.setUint32(at + ICMP.identifier, rest);
    bytes.set(body, at + ICMP.body);
    view.setUint16(
      at + ICMP.checksum,
      finish(addBytes(pseudoHeaderSum(source, to, PROTOCOL.ICMPV6) + length, view, at, at + length)),
    );
    output.end = at + length;
    output.checksum = CHECKSUM.COMPLETE;
    output.segmentation = SEGMENTATION.NONE;
    device.transmit(output);
  }
}

/** RFC 2464, 7. */
function groupMac(address: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...address.subarray(12));
}
