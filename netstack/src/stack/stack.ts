/**
 * The stack: one link, its addresses, and what arrives on it.
 *
 * A frame goes through {@link Stack.input}: Ethernet -> ARP, or IPv4/IPv6 (header checks, admission of the source, reassembly) ->
 * ICMP, UDP, TCP. The stack takes packets for every destination: it is the gateway, so each address beyond the link is "local" to
 * it, and the transports' owners (host/) decide what becomes of a connection or datagram. Nothing here reads a clock, waits, or
 * touches a descriptor: time comes from the timer queue, frames come by `input` and leave by the device.
 */
import { FRAME_CAPACITY, Frame, HEADROOM } from '../link/device.ts';
import type { Device } from '../link/device.ts';
import { BROADCAST_MAC, IpAddress, Subnet } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import { ETHERNET, ETHER_TYPE } from '../wire/ethernet.ts';
import { IPV4, PROTOCOL } from '../wire/ipv4.ts';
import { IPV6 } from '../wire/ipv6.ts';
import { UDP } from '../wire/udp.ts';
import { TcpLayer } from '../tcp/tcp-layer.ts';
import type { TcpLimits } from '../tcp/tcp-limits.ts';
import { Admission } from './admission.ts';
import { ArpResponder } from './arp-responder.ts';
import { noDrops } from './counters.ts';
import { IcmpLayer } from './icmp-layer.ts';
import { Ipv4Input } from './ipv4-input.ts';
import { Ipv6Input } from './ipv6-input.ts';
import { KeyedHash } from './keyed-hash.ts';
import { NeighbourDiscovery, linkLocalAddress } from './neighbour-discovery.ts';
import { Neighbour, Neighbours } from './neighbours.ts';
import type { IpPacket } from './packet.ts';
import { Path } from './path.ts';
import type { Link } from './path.ts';
import { Reassembly } from './reassembly.ts';
import type { TimerQueue } from './timer-queue.ts';
import { UdpLayer } from './udp-layer.ts';

export interface StackOptions {
  readonly device: Device;
  readonly timers: TimerQueue;
  readonly mac: Uint8Array;
  /** IP MTU of the link. */
  readonly mtu: number;
  /** Our addresses with their subnets. */
  readonly subnets: readonly Subnet[];
  /** More addresses of ours. */
  readonly aliases?: readonly IpAddress[];
  /** Fills the array with random bytes, once; hash keys and initial sequence numbers depend on them being unpredictable. */
  readonly random: (bytes: Uint8Array) => void;
  readonly tcp?: Partial<TcpLimits>;
}

export class Stack implements Link {
  readonly device: Device;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly output = new Frame(FRAME_CAPACITY);
  readonly timers: TimerQueue;
  readonly subnets: readonly Subnet[];
  readonly drops = noDrops();
  readonly neighbours: Neighbours;
  readonly admission: Admission;
  readonly icmp: IcmpLayer;
  readonly udp: UdpLayer;
  readonly tcp: TcpLayer;
  /** Keyed with this stack's secret. */
  readonly hash: KeyedHash;
  readonly discovery: NeighbourDiscovery | undefined;
  readonly #locals: readonly IpAddress[];
  readonly #arp: ArpResponder;
  readonly #ipv4: Ipv4Input;
  readonly #ipv6: Ipv6Input | undefined;
  readonly #reassembly: Reassembly;
  #identification: number;

  constructor(options: StackOptions) {
    this.device = options.device;
    this.timers = options.timers;
    this.mac = options.mac;
    this.mtu = options.mtu;
    this.subnets = options.subnets;
    const seed = new Uint8Array(12);
    options.random(seed);
    const words = new DataView(seed.buffer);
    this.hash = new KeyedHash(words.getUint32(0), words.getUint32(4));
    this.#identification = words.getUint32(8);
    const subnet6 = options.subnets.find(({ address }) => address.version === 6);
    const locals = [...options.subnets.map(({ address }) => address), ...(options.aliases ?? [])];
    if (subnet6) locals.push(linkLocalAddress(options.mac));
    this.#locals = locals;
    this.neighbours = new Neighbours({
      drops: this.drops,
      timers: this.timers,
      hash: this.hash,
      transmit: (frame) => this.device.transmit(frame),
      solicit: (address) => (address.version === 4 ? this.#arp.solicit(address) : this.discovery?.solicit(address)),
    });
    this.admission = new Admission(this.neighbours, options.subnets, locals);
    this.#reassembly = new Reassembly(this.timers, this.drops, (first) => this.icmp.reassemblyTimeExceeded(first));
    this.#arp = new ArpResponder(this);
    this.#ipv4 = new Ipv4Input(this, this.#reassembly);
    this.icmp = new IcmpLayer(this);
    this.udp = new UdpLayer(this);
    this.tcp = new TcpLayer(this, options.tcp);
    this.discovery = subnet6 && new NeighbourDiscovery(this, subnet6);
    this.#ipv6 = subnet6 && new Ipv6Input(this, this.#reassembly);
  }

  /** Takes a frame from the device. Whatever it holds, this neither throws nor keeps the buffer. */
  input(frame: Frame): void {
    const { view, start, end } = frame;
    if (end - start < ETHERNET.size) {
      this.drops.malformed++;
      return;
    }
    if (!this.#isForUs(frame)) {
      this.drops.notOurs++;
      return;
    }
    const type = view.getUint16(start + ETHERNET.type);
    if (type === ETHER_TYPE.IPV4) this.#ipv4.input(frame);
    else if (type === ETHER_TYPE.ARP) this.#arp.input(frame);
    else if (type === ETHER_TYPE.IPV6 && this.#ipv6) this.#ipv6.input(frame);
    else this.drops.unknownEtherType++;
  }

  /** Sends what was put off for the end of a batch of frames: acknowledgements. */
  flush(): void {
    this.tcp.flush();
  }

  /** Hands a checked packet to its transport. */
  deliver(packet: IpPacket): void {
    // RFC 1812, 5.3.1: what is to go on from here has used up one more hop.
    if (packet.ttl <= 1 && !packet.multicast && !this.isLocalAt(packet)) {
      this.icmp.timeExceeded(packet);
      return;
    }
    if (packet.protocol === PROTOCOL.TCP) this.tcp.input(packet);
    else if (packet.protocol === PROTOCOL.UDP) this.udp.input(packet);
    else if (packet.protocol === PROTOCOL.ICMP && packet.version === 4) this.icmp.input(packet);
    else if (packet.protocol === PROTOCOL.ICMPV6 && packet.version === 6) this.icmp.input(packet);
    else {
      this.drops.unsupportedProtocol++;
      this.icmp.rejectProtocol(packet);
    }
  }

  isLocal(address: IpAddress): boolean {
    return this.#locals.some((local) => local.equals(address));
  }

  /** As {@link isLocal} for an address where it stands in a packet. */
  isLocalAt(packet: IpPacket): boolean {
    for (const local of this.#locals)
      if (local.version === packet.version && local.isAt(packet.view, packet.destinationAt)) return true;
    return false;
  }

  /** The way to a neighbour; undefined when the neighbour table is full or the address can't be one. */
  path(local: IpAddress, remote: IpAddress): Path | undefined {
    if (!this.admission.isAssignable(remote)) return undefined;
    const neighbour = this.neighbours.get(remote);
    if (!neighbour) return undefined;
    // Many flows of a container often go to one place: they share the path, and what was learned about its MTU.
    if (!neighbour.lastPath?.local.equals(local))
      neighbour.lastPath = new Path(this, local, neighbour.address, neighbour);
    return neighbour.lastPath;
  }

  /** The way to everybody on the link, for clients that have no address yet. */
  broadcastPath(local: IpAddress): Path {
    const everybody = new Neighbour(IpAddress.from('255.255.255.255'), this.neighbours, this.timers);
    everybody.learn(new DataView(BROADCAST_MAC.buffer), 0, -1);
    return new Path(this, local, everybody.address, everybody);
  }

  /** Where the payload of an outgoing datagram belongs in the output frame. */
  udpPayloadStart(version: IpVersion): number {
    return HEADROOM + ETHERNET.size + (version === 4 ? IPV4.size : IPV6.size) + UDP.size;
  }

  nextIdentification(): number {
    this.#identification = (this.#identification + 1) & 0xffff;
    return this.#identification;
  }

  close(): void {
    this.tcp.close();
    this.#reassembly.close();
    this.neighbours.close();
    this.discovery?.close();
  }

  #isForUs({ bytes, start }: Frame): boolean {
    // A group address as source is never legitimate (IEEE 802.3, 3.2.3).
    if ((bytes[start + ETHERNET.source]! & 1) !== 0) return false;
    if ((bytes[start]! & 1) !== 0) return true;
    for (let index = 0; index < 6; index++) if (bytes[start + index] !== this.mac[index]) return false;
    return true;
  }
}
