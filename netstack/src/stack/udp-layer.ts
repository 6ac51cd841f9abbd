/** UDP (RFC 768): takes datagrams for any destination, sends from any source. */
import { CHECKSUM, HEADROOM, SEGMENTATION } from '../link/device.ts';
import { addBytes, finishUdp, fold } from '../wire/checksum.ts';
import { PROTOCOL } from '../wire/ipv4.ts';
import { UDP } from '../wire/udp.ts';
import type { IpPacket } from './packet.ts';
import type { Path } from './path.ts';
import type { Stack } from './stack.ts';

/** Linux joins no more than this (UDP_MAX_SEGMENTS); a container could claim pieces of one byte. */
const MAX_JOINED = 128;

/** Takes a datagram whose payload is bytes [start, end) of the packet's buffer. */
export type DatagramHandler = (
  packet: IpPacket,
  sourcePort: number,
  destinationPort: number,
  start: number,
  end: number,
) => void;

export class UdpLayer {
  onDatagram: DatagramHandler = (packet) => this.#stack.icmp.rejectPort(packet);
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  input(packet: IpPacket): void {
    const { view, payloadStart } = packet;
    const { drops } = this.#stack;
    const available = packet.end - payloadStart;
    const length = available >= UDP.size ? view.getUint16(payloadStart + UDP.length) : 0;
    // What the device joined of many datagrams may carry the length of one (as Linux leaves it) or of all.
    const usable = packet.segmentSize > 0 ? available : length;
    const tooMany = packet.segmentSize > 0 && available > UDP.size + MAX_JOINED * packet.segmentSize;
    if (length < UDP.size || usable > available || tooMany) {
      drops.malformed++;
      return;
    }
    packet.end = payloadStart + usable;
    const none = view.getUint16(payloadStart + UDP.checksum) === 0;
    // RFC 8200, 8.1: over IPv6 a checksum of zero is an error.
    if (none ? packet.version === 6 : !packet.checksumHolds()) {
      drops.badChecksum++;
      return;
    }
    const sourcePort = view.getUint16(payloadStart + UDP.sourcePort);
    const destinationPort = view.getUint16(payloadStart + UDP.destinationPort);
    const { end } = packet;
    const step = packet.segmentSize > 0 ? packet.segmentSize : Math.max(1, end - payloadStart - UDP.size);
    for (let start = payloadStart + UDP.size; start < end || start === payloadStart + UDP.size; start += step) {
      this.onDatagram(packet, sourcePort, destinationPort, start, Math.min(end, start + step));
    }
  }

  /** Where the payload of the next datagram on this path belongs in the stack's output frame. */
  payloadStart(path: Path): number {
    return path.transportStart + UDP.size;
  }

  /** Sends the `length` bytes that the caller put at {@link payloadStart}. */
  sendInPlace(path: Path, sourcePort: number, destinationPort: number, length: number): void {
    const { output, device } = this.#stack;
    const { view } = output;
    const at = path.transportStart;
    const end = at + UDP.size + length;
    view.setUint16(at + UDP.sourcePort, sourcePort);
    view.setUint16(at + UDP.destinationPort, destinationPort);
    view.setUint16(at + UDP.length, UDP.size + length);
    const pseudo = path.pseudoSum(PROTOCOL.UDP, UDP.size + length);
    output.segmentation = SEGMENTATION.NONE;
    // A checksum spans all fragments, so it can't be left to the device then.
    if (device.offloads.checksum && UDP.size + length <= path.transportRoom) {
      output.checksum = CHECKSUM.PARTIAL;
      output.checksumStart = at - HEADROOM;
      output.checksumField = output.checksumStart + UDP.checksum;
      view.setUint16(at + UDP.checksum, fold(pseudo));
    } else {
      output.checksum = CHECKSUM.COMPLETE;
      view.setUint16(at + UDP.checksum, 0);
      view.setUint16(at + UDP.checksum, finishUdp(addBytes(pseudo, view, at, end)));
    }
    path.send(end, PROTOCOL.UDP);
  }

  send(path: Path, sourcePort: number, destinationPort: number, payload: Uint8Array): void {
    this.#stack.output.bytes.set(payload, this.payloadStart(path));
    this.sendInPlace(path, sourcePort, destinationPort, payload.length);
  }
}
