/** What arrives as IPv6: checks, extension headers, admission, reassembly (RFC 8200). */
import { CHECKSUM } from '../link/device.ts';
import type { Frame } from '../link/device.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import { PROTOCOL } from '../wire/ipv4.ts';
import { IPV6, IPV6_FRAGMENT, IPV6_NEXT_FRAGMENT, findIpv6Upper, isIpv6 } from '../wire/ipv6.ts';
import { IpPacket } from './packet.ts';
import type { Reassembly } from './reassembly.ts';
import type { Stack } from './stack.ts';

export class Ipv6Input {
  readonly #stack: Stack;
  readonly #reassembly: Reassembly;
  readonly #packet = new IpPacket();

  constructor(stack: Stack, reassembly: Reassembly) {
    this.#stack = stack;
    this.#reassembly = reassembly;
    this.#packet.version = 6;
  }

  input(frame: Frame): void {
    const { bytes, view, start } = frame;
    const { drops } = this.#stack;
    const at = start + ETHERNET.size;
    const packet = this.#packet;
    const end = isIpv6(view, at, frame.end) ? at + IPV6.size + view.getUint16(at + IPV6.payloadLength) : 0;
    const upper = end === 0 ? undefined : findIpv6Upper(view, at, end);
    if (upper === undefined) {
      drops.malformed++;
      return;
    }
    packet.bytes = bytes;
    packet.view = view;
    packet.start = at;
    packet.sourceAt = at + IPV6.source;
    packet.destinationAt = at + IPV6.destination;
    packet.protocol = upper.protocol;
    packet.protocolAt = upper.namedAt;
    packet.ttl = view.getUint8(at + IPV6.hopLimit);
    packet.payloadStart = upper.at;
    packet.end = end;
    packet.trusted = frame.checksum !== CHECKSUM.COMPLETE;
    packet.segmentSize = frame.segmentSize * Number(frame.segmentation !== 0);
    packet.multicast = view.getUint8(packet.destinationAt) === 0xff;
    if (!this.#admits(packet, start + ETHERNET.source)) {
      drops.spoofedSource++;
      return;
    }
    if (upper.protocol === IPV6_NEXT_FRAGMENT) this.#fragment(packet);
    else this.#stack.deliver(packet);
  }

  #admits(packet: IpPacket, macAt: number): boolean {
    const { view, sourceAt } = packet;
    const { admission } = this.#stack;
    let unspecified = true;
    for (let at = 0; at < 16; at += 4) if (view.getUint32(sourceAt + at) !== 0) unspecified = false;
    // RFC 4862, 5.4.2: duplicate address detection and the first router solicitation come from ::.
    if (unspecified) return packet.protocol === PROTOCOL.ICMPV6 && admission.admitsMac(view, macAt);
    return admission.admits(view, macAt, sourceAt, 6);
  }

  #fragment(packet: IpPacket): void {
    const { bytes, view, payloadStart, end } = packet;
    if (end - payloadStart < IPV6_FRAGMENT.size) {
      this.#stack.drops.malformed++;
      return;
    }
    const place = view.getUint16(payloadStart + IPV6_FRAGMENT.offsetAndMore);
    const protocol = view.getUint8(payloadStart + IPV6_FRAGMENT.nextHeader);
    packet.protocol = protocol;
    packet.payloadStart += IPV6_FRAGMENT.size;
    const identification = view.getUint32(payloadStart + IPV6_FRAGMENT.identification);
    const key = `${bytes.subarray(packet.sourceAt, packet.sourceAt + 32).join('.')}/${identification}`;
    const payload = bytes.subarray(packet.payloadStart, end);
    const more = (place & IPV6_FRAGMENT.MORE) !== 0;
    const whole = this.#reassembly.add(key, place & IPV6_FRAGMENT.OFFSET, more, payload, packet);
    if (whole === undefined) return;
    const joined = new Uint8Array(IPV6.size + whole.length);
    joined.set(bytes.subarray(packet.start, packet.start + IPV6.size));
    joined.set(whole, IPV6.size);
    // RFC 8200, 4.5: the header of the original packet, without the fragment header.
    joined[IPV6.nextHeader] = protocol;
    packet.bytes = joined;
    packet.view = new DataView(joined.buffer);
    packet.start = 0;
    packet.sourceAt = IPV6.source;
    packet.destinationAt = IPV6.destination;
    packet.protocolAt = IPV6.nextHeader;
    packet.payloadStart = IPV6.size;
    packet.end = joined.length;
    packet.trusted = false;
    packet.segmentSize = 0;
    this.#stack.deliver(packet);
  }
}
