/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443): answers echo requests to us, passes on those to others, turns errors about our packets into
 * calls of the transports, and sends errors, at a limited rate (RFC 1812, 4.3.2.8; RFC 4443, 2.4 f).
 */
import { CHECKSUM, SEGMENTATION } from '../link/device.ts';
import { addBytes, finish, verifies } from '../wire/checksum.ts';
import {
  ICMP,
  ICMPV6_MTU,
  ICMPV6_TYPE,
  ICMPV6_UNREACHABLE,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  TIME_EXCEEDED,
} from '../wire/icmp.ts';
import { IPV4 } from '../wire/ipv4.ts';
import { IPV6, icmpProtocol } from '../wire/ipv6.ts';
import type { IpPacket } from './packet.ts';
import type { Path } from './path.ts';
import type { Stack } from './stack.ts';

const ERRORS_PER_SECOND = 200;
const ICMP_ERRORS: ReadonlySet<number> = new Set([
  ICMP_TYPE.UNREACHABLE,
  ICMP_TYPE.SOURCE_QUENCH,
  ICMP_TYPE.REDIRECT,
  ICMP_TYPE.TIME_EXCEEDED,
  ICMP_TYPE.PARAMETER_PROBLEM,
]);

/** Takes an echo request for another host; its payload (after the 8-byte header) is [start, end). */
export type EchoHandler = (packet: IpPacket, identifier: number, sequence: number, start: number, end: number) => void;

export class IcmpLayer {
  onEcho: EchoHandler = () => undefined;
  /** An error from a container about a UDP datagram that we sent from `localPort`, e.g. "port unreachable". */
  onUdpUnreachable: (packet: IpPacket, localPort: number, remotePort: number) => void = () => undefined;
  readonly counters = { echoes: 0, errorsSent: 0, errorsReceived: 0 };
  readonly #stack: Stack;
  #tokens = ERRORS_PER_SECOND;
  #refilled = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  input(packet: IpPacket): void {
    const { view, payloadStart, end, version } = packet;
    const { drops } = this.#stack;
    if (end - payloadStart < ICMP.size) {
      drops.malformed++;
      return;
    }
    // Only ICMPv6 sums over a pseudo-header.
    if (!(version === 6 ? packet.checksumHolds() : packet.trusted || verifies(addBytes(0, view, payloadStart, end)))) {
      drops.badChecksum++;
      return;
    }
    const type = view.getUint8(payloadStart);
    if (type === (version === 4 ? ICMP_TYPE.ECHO_REQUEST : ICMPV6_TYPE.ECHO_REQUEST)) this.#echo(packet);
    else if (version === 4 && (type === ICMP_TYPE.UNREACHABLE || type === ICMP_TYPE.TIME_EXCEEDED))
      this.#error(packet, type);
    else if (version === 6 && (type === ICMPV6_TYPE.UNREACHABLE || type === ICMPV6_TYPE.PACKET_TOO_BIG))
      this.#error(packet, type);
    else if (version === 6) this.#stack.discovery?.input(packet, type);
  }

  /** Sends an ICMP message: type, code, 32 bits of rest of header, body. */
  send(path: Path, type: number, code: number, rest: number, body: Uint8Array): void {
    const { output } = this.#stack;
    const { bytes, view } = output;
    const at = path.transportStart;
    const end = at + ICMP.size + body.length;
    bytes[at + ICMP.type] = type;
    bytes[at + ICMP.code] = code;
    view.setUint16(at + ICMP.checksum, 0);
    view.setUint32(at + ICMP.identifier, rest);
    bytes.set(body, at + ICMP.body);
    const protocol = icmpProtocol(path.version);
    const pseudo = path.version === 6 ? path.pseudoSum(protocol, end - at) : 0;
    view.setUint16(at + ICMP.checksum, finish(addBytes(pseudo, view, at, end)));
    output.checksum = CHECKSUM.COMPLETE;
    output.segmentation = SEGMENTATION.NONE;
    path.send(end, protocol);
  }

  sendEchoReply(path: Path, identifier: number, sequence: number, payload: Uint8Array): void {
    const type = path.version === 4 ? ICMP_TYPE.ECHO_REPLY : ICMPV6_TYPE.ECHO_REPLY;
    this.send(path, type, 0, identifier * 0x10000 + sequence, payload);
  }

  rejectPort(packet: IpPacket): void {
    this.#reject(packet, ICMP_UNREACHABLE.PORT, ICMPV6_UNREACHABLE.PORT);
  }

  rejectHost(packet: IpPacket): void {
    this.#reject(packet, ICMP_UNREACHABLE.HOST, ICMPV6_UNREACHABLE.ADDRESS);
  }

  rejectProhibited(packet: IpPacket): void {
    this.#reject(packet, ICMP_UNREACHABLE.PROHIBITED, ICMPV6_UNREACHABLE.PROHIBITED);
  }

  rejectProtocol(packet: IpPacket): void {
    if (packet.version === 4) {
      this.#reject(packet, ICMP_UNREACHABLE.PROTOCOL, 0);
      return;
    }
    // RFC 4443, 3.4: code 1, an unrecognized next header, and where in the packet it is named.
    const path = this.#mayReject(packet) ? this.#stack.path(packet.destination(), packet.source()) : undefined;
    if (path) this.send(path, ICMPV6_TYPE.PARAMETER_PROBLEM, 1, packet.protocolAt - packet.start, this.#quote(packet));
  }

  /** The hop limit ran out at us: what traceroute looks for. Sent from our own address. */
  timeExceeded(packet: IpPacket): void {
    const own = this.#stack.subnets.find(({ address }) => address.version === packet.version);
    if (!own || !this.#mayReject(packet)) return;
    this.#timeExceeded(this.#stack.path(own.address, packet.source()), packet, TIME_EXCEEDED.TRANSIT);
  }

  /**
   * The rest of a packet has not come in time. The destination says so, which we speak for, and only where the first fragment is
   * here: without it the sender could not tell whose packet it was (RFC 1122, 3.3.2; RFC 8200, 4.5).
   */
  reassemblyTimeExceeded(first: IpPacket): void {
    if (!this.#mayReject(first)) return;
    this.#timeExceeded(this.#stack.path(first.destination(), first.source()), first, TIME_EXCEEDED.REASSEMBLY);
  }

  #timeExceeded(path: Path | undefined, packet: IpPacket, code: number): void {
    const type = packet.version === 4 ? ICMP_TYPE.TIME_EXCEEDED : ICMPV6_TYPE.TIME_EXCEEDED;
    if (path) this.send(path, type, code, 0, this.#quote(packet));
  }

  #reject(packet: IpPacket, code4: number, code6: number): void {
    if (!this.#mayReject(packet)) return;
    const path = this.#stack.path(packet.destination(), packet.source());
    if (!path) return;
    if (packet.version === 4) this.send(path, ICMP_TYPE.UNREACHABLE, code4, 0, this.#quote(packet));
    else this.send(path, ICMPV6_TYPE.UNREACHABLE, code6, 0, this.#quote(packet));
  }

  /** RFC 1812, 4.3.2.3: the header and as much of the payload as keeps the error within 576 bytes. */
  #quote(packet: IpPacket): Uint8Array {
    const header = packet.version === 4 ? IPV4.size : IPV6.size;
    return packet.bytes.slice(packet.start, Math.min(packet.end, packet.start + 576 - header - ICMP.size));
  }

  /** RFC 1122, 3.2.2 and RFC 4443, 2.4 e: never about multicast or another error; and at a limited rate. */
  #mayReject(packet: IpPacket): boolean {
    if (packet.multicast || isError(packet)) return false;
    const { timers, drops } = this.#stack;
    this.#tokens = Math.min(
      ERRORS_PER_SECOND,
      this.#tokens + ((timers.now - this.#refilled) / 1000) * ERRORS_PER_SECOND,
    );
    this.#refilled = timers.now;
    if (this.#tokens < 1) {
      drops.icmpRateLimit++;
      return false;
    }
    this.#tokens--;
    this.counters.errorsSent++;
    return true;
  }

  #echo(packet: IpPacket): void {
    const { view, payloadStart, end } = packet;
    if (packet.multicast) return;
    const identifier = view.getUint16(payloadStart + ICMP.identifier);
    const sequence = view.getUint16(payloadStart + ICMP.sequence);
    if (!this.#stack.isLocalAt(packet)) {
      this.onEcho(packet, identifier, sequence, payloadStart + ICMP.body, end);
      return;
    }
    this.counters.echoes++;
    const path = this.#stack.path(packet.destination(), packet.source());
    if (path) this.sendEchoReply(path, identifier, sequence, packet.bytes.slice(payloadStart + ICMP.body, end));
  }

  /** An error about one of our packets, whose header it quotes. */
  #error(packet: IpPacket, type: number): void {
    const { view, payloadStart, end, version } = packet;
    this.counters.errorsReceived++;
    const quoted = payloadStart + ICMP.body;
    const header = version === 4 ? (end - quoted >= IPV4.size ? (view.getUint8(quoted) & 0xf) * 4 : end) : IPV6.size;
    const transport = quoted + header;
    // Ports are the first 8 bytes' business (RFC 792), and sequence numbers too.
    if (transport + 8 > end) return;
    const protocol = view.getUint8(quoted + (version === 4 ? IPV4.protocol : IPV6.nextHeader));
    const inner = {
      protocol,
      localAt: quoted + (version === 4 ? IPV4.source : IPV6.source),
      remoteAt: quoted + (version === 4 ? IPV4.destination : IPV6.destination),
      localPort: view.getUint16(transport),
      remotePort: view.getUint16(transport + 2),
      sequence: view.getUint32(transport + 4),
    };
    const code = view.getUint8(payloadStart + ICMP.code);
    const tooBig =
      version === 4
        ? type === ICMP_TYPE.UNREACHABLE && code === ICMP_UNREACHABLE.FRAGMENTATION_NEEDED
        : type === ICMPV6_TYPE.PACKET_TOO_BIG;
    const mtu =
      version === 4 ? view.getUint16(payloadStart + ICMP.nextHopMtu) : view.getUint32(payloadStart + ICMPV6_MTU);
    if (protocol === 6) this.#stack.tcp.inputError(view, version, inner, tooBig ? mtu : 0);
    else if (protocol === 17 && !tooBig) this.onUdpUnreachable(packet, inner.localPort, inner.remotePort);
  }
}

/** Whether the packet is an ICMP error itself: of ICMPv6, all types below 128 are (RFC 4443, 2.1). */
function isError({ version, protocol, view, payloadStart, end }: IpPacket): boolean {
  if (protocol !== icmpProtocol(version) || payloadStart >= end) return false;
  const type = view.getUint8(payloadStart);
  return version === 6 ? type < 128 : ICMP_ERRORS.has(type);
}
