/** What arrives as IPv4: checks, admission, reassembly (RFC 791, RFC 1122, 3.2.1). */
import { CHECKSUM } from '../link/device.ts';
import type { Frame } from '../link/device.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import { IPV4, IPV4_FRAGMENT, PROTOCOL, hasSourceRoute, ipv4HeaderLength } from '../wire/ipv4.ts';
import { UDP } from '../wire/udp.ts';
import { IpPacket } from './packet.ts';
import type { Reassembly } from './reassembly.ts';
import type { Stack } from './stack.ts';

const DHCP_SERVER_PORT = 67;

export class Ipv4Input {
  readonly #stack: Stack;
  readonly #reassembly: Reassembly;
  readonly #packet = new IpPacket();

  constructor(stack: Stack, reassembly: Reassembly) {
    this.#stack = stack;
    this.#reassembly = reassembly;
  }

  input(frame: Frame): void {
    const { bytes, view, start } = frame;
    const { drops, admission } = this.#stack;
    const at = start + ETHERNET.size;
    const headerLength = ipv4HeaderLength(view, at, frame.end);
    if (headerLength === 0) {
      drops.malformed++;
      return;
    }
    const packet = this.#packet;
    packet.bytes = bytes;
    packet.view = view;
    packet.start = at;
    packet.sourceAt = at + IPV4.source;
    packet.destinationAt = at + IPV4.destination;
    packet.protocolAt = at + IPV4.protocol;
    packet.protocol = view.getUint8(packet.protocolAt);
    packet.ttl = view.getUint8(at + IPV4.ttl);
    packet.payloadStart = at + headerLength;
    // The Ethernet frame may be padded beyond the packet.
    packet.end = at + view.getUint16(at + IPV4.totalLength);
    packet.trusted = frame.checksum !== CHECKSUM.COMPLETE;
    packet.segmentSize = frame.segmentSize * Number(frame.segmentation !== 0);
    packet.multicast = this.#isGroup(view, at + IPV4.destination);
    if (!admission.admits(view, start + ETHERNET.source, packet.sourceAt, 4) && !this.#isDhcp(packet, start)) {
      drops.spoofedSource++;
      return;
    }
    if (headerLength > IPV4.size && hasSourceRoute(view, at, headerLength)) {
      drops.sourceRoute++;
      return;
    }
    const fragment = view.getUint16(at + IPV4.fragment);
    if ((fragment & (IPV4_FRAGMENT.MORE | IPV4_FRAGMENT.OFFSET)) !== 0) this.#fragment(packet, fragment);
    else this.#stack.deliver(packet);
  }

  #fragment(packet: IpPacket, fragment: number): void {
    const { bytes, view, start } = packet;
    const identification = view.getUint16(start + IPV4.identification);
    const key = `${bytes.subarray(packet.sourceAt, packet.sourceAt + 8).join('.')}/${packet.protocol}/${identification}`;
    const payload = bytes.subarray(packet.payloadStart, packet.end);
    const whole = this.#reassembly.add(
      key,
      (fragment & IPV4_FRAGMENT.OFFSET) * 8,
      (fragment & IPV4_FRAGMENT.MORE) !== 0,
      payload,
      packet,
    );
    if (whole === undefined) return;
    const header = packet.payloadStart - start;
    const joined = new Uint8Array(header + whole.length);
    joined.set(bytes.subarray(start, packet.payloadStart));
    joined.set(whole, header);
    packet.bytes = joined;
    packet.view = new DataView(joined.buffer);
    packet.start = 0;
    packet.protocolAt = IPV4.protocol;
    packet.sourceAt = IPV4.source;
    packet.destinationAt = IPV4.destination;
    packet.payloadStart = header;
    packet.end = joined.length;
    packet.trusted = false;
    packet.segmentSize = 0;
    this.#stack.deliver(packet);
  }

  #isGroup(view: DataView, at: number): boolean {
    if (view.getUint8(at) >= 224) return true;
    const own = this.#stack.subnets[0]!;
    return own.address.version === 4 && own.prefix < 31 && own.broadcast.isAt(view, at);
  }

  /** RFC 2131, 4.1: a client without an address sends from 0.0.0.0. */
  #isDhcp({ view, sourceAt, protocol, payloadStart, end }: IpPacket, frameStart: number): boolean {
    return (
      view.getUint32(sourceAt) === 0 &&
      protocol === PROTOCOL.UDP &&
      end - payloadStart >= UDP.size &&
      view.getUint16(payloadStart + UDP.destinationPort) === DHCP_SERVER_PORT &&
      this.#stack.admission.admitsMac(view, frameStart + ETHERNET.source)
    );
  }
}
