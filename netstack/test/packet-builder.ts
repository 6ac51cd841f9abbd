/** Whole IP packets in Ethernet frames, with every field to choose, and readers of what a stack says to them. */
import { Frame, HEADROOM, NO_OFFLOADS } from '../src/link/device.ts';
import { seededRandom } from '../src/link/fault-injector.ts';
import { Stack } from '../src/stack/stack.ts';
import { TimerQueue } from '../src/stack/timer-queue.ts';
import { IpAddress, Subnet } from '../src/wire/address.ts';
import { addBytes, finish, verifies } from '../src/wire/checksum.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../src/wire/ethernet.ts';
import { IPV4, PROTOCOL, pseudoHeaderSum, writeIpv4 } from '../src/wire/ipv4.ts';
import { IPV6, writeIpv6 } from '../src/wire/ipv6.ts';

export const IP_AT = HEADROOM + ETHERNET.size;
export const OUR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
export const THEIR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);

export interface Packet {
  readonly source?: string;
  readonly destination?: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly ttl?: number;
  /** IPv4: options, a multiple of four bytes; IPv6: extension headers, named by `protocol`. */
  readonly options?: readonly number[];
  /** IPv4: flags and offset, and the identification. */
  readonly fragment?: number;
  readonly identification?: number;
  /** Bytes of Ethernet padding. */
  readonly padding?: number;
  /** Where in the payload the checksum belongs, over pseudo-header and payload (ICMP: over the payload alone). */
  readonly checksumAt?: number;
}

/** The frame of a packet from the peer (10.0.0.2 or fd00::2) to us, unless it says otherwise. */
export function packet(fields: Packet): Frame {
  const six = (fields.source ?? fields.destination ?? '').includes(':');
  const source = IpAddress.from(fields.source ?? (six ? 'fd00::2' : '10.0.0.2'));
  const destination = IpAddress.from(fields.destination ?? (six ? 'fd00::1' : '10.0.0.1'));
  const { protocol, payload, options = [], ttl = 64, padding = 0, checksumAt } = fields;
  const header = (six ? IPV6.size : IPV4.size) + options.length;
  const frame = new Frame(IP_AT + header + payload.length + padding);
  const { bytes, view } = frame;
  writeEthernet(bytes, HEADROOM, OUR_MAC, THEIR_MAC, six ? ETHER_TYPE.IPV6 : ETHER_TYPE.IPV4);
  if (six) {
    const payloadLength = options.length + payload.length;
    writeIpv6(bytes, view, IP_AT, { payloadLength, nextHeader: protocol, hopLimit: ttl, source, destination });
    bytes.set(options, IP_AT + IPV6.size);
  } else {
    writeIpv4(bytes, view, IP_AT, {
      totalLength: header + payload.length,
      identification: fields.identification ?? 7,
      fragment: fields.fragment ?? 0,
      protocol,
      source,
      destination,
    });
    view.setUint8(IP_AT, 0x40 | (header / 4));
    view.setUint8(IP_AT + IPV4.ttl, ttl);
    bytes.set(options, IP_AT + IPV4.size);
    view.setUint16(IP_AT + IPV4.checksum, 0);
    view.setUint16(IP_AT + IPV4.checksum, finish(addBytes(0, view, IP_AT, IP_AT + header)));
  }
  const at = IP_AT + header;
  bytes.set(payload, at);
  if (checksumAt !== undefined) {
    const upper = six && protocol !== PROTOCOL.UDP && protocol !== PROTOCOL.TCP ? PROTOCOL.ICMPV6 : protocol;
    const pseudo = protocol === PROTOCOL.ICMP ? 0 : pseudoHeaderSum(source, destination, upper) + payload.length;
    view.setUint16(at + checksumAt, finish(addBytes(pseudo, view, at, at + payload.length)));
  }
  frame.plain(ETHERNET.size + header + payload.length + padding);
  return frame;
}

/** An ICMP message for {@link packet}, checksum at 2. */
export function icmp(type: number, code: number, rest: number, body: ArrayLike<number> = []): Uint8Array {
  const message = new Uint8Array(8 + body.length);
  message.set([type, code]);
  new DataView(message.buffer).setUint32(4, rest);
  message.set(Array.from(body), 8);
  return message;
}

export function echo(body: ArrayLike<number> = [1, 2, 3]): Packet {
  return { protocol: PROTOCOL.ICMP, payload: icmp(8, 0, 0x00050009, body), checksumAt: 2 };
}

/** What a stack said: the parts of an IPv4 or IPv6 packet without options. */
export interface Said {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl: number;
  readonly fragment: number;
  readonly payload: Uint8Array;
  /** Type and code of an ICMP message. */
  readonly kind: readonly [type: number, code: number];
  readonly destinationMac: string;
}

/** A stack with addresses of both versions whose link is a list. */
export class Listener {
  readonly timers = new TimerQueue();
  readonly stack: Stack;
  readonly said: Said[] = [];

  constructor(mtu = 1500) {
    const random = seededRandom(9);
    this.stack = new Stack({
      device: { offloads: NO_OFFLOADS, transmit: (frame) => this.#record(frame) },
      timers: this.timers,
      mac: OUR_MAC,
      mtu,
      subnets: [new Subnet(IpAddress.from('10.0.0.1'), 24), new Subnet(IpAddress.from('fd00::1'), 64)],
      random: (bytes) => bytes.forEach((_, at) => (bytes[at] = Math.floor(random() * 256))),
    });
  }

  /** Takes a packet; returns what the stack says to it. */
  hear(fields: Packet): Said[] {
    this.stack.input(packet(fields));
    this.stack.flush();
    return this.said.splice(0);
  }

  elapse(ms: number): Said[] {
    this.timers.advance(this.timers.now + ms);
    return this.said.splice(0);
  }

  #record({ bytes, view, end }: Frame): void {
    const type = view.getUint16(HEADROOM + ETHERNET.type);
    if (type === ETHER_TYPE.ARP) return;
    const six = type === ETHER_TYPE.IPV6;
    if (!six && !verifies(addBytes(0, view, IP_AT, IP_AT + IPV4.size))) throw new Error('a wrong header checksum');
    const at = IP_AT + (six ? IPV6.size : IPV4.size);
    this.said.push({
      source: IpAddress.read(bytes, IP_AT + (six ? IPV6.source : IPV4.source), six ? 6 : 4).toString(),
      destination: IpAddress.read(bytes, IP_AT + (six ? IPV6.destination : IPV4.destination), six ? 6 : 4).toString(),
      protocol: view.getUint8(IP_AT + (six ? IPV6.nextHeader : IPV4.protocol)),
      ttl: view.getUint8(IP_AT + (six ? IPV6.hopLimit : IPV4.ttl)),
      fragment: six ? 0 : view.getUint16(IP_AT + IPV4.fragment),
      payload: bytes.slice(at, end),
      kind: [bytes[at]!, bytes[at + 1]!],
      destinationMac: Buffer.from(bytes.subarray(HEADROOM, HEADROOM + 6)).toString('hex'),
    });
  }
}
