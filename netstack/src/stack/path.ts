/**
 * The way out to one neighbour from one local address: a ready-made Ethernet and IP header, put before whatever a transport
 * wrote into the stack's output frame. Transports write at {@link Path.transportStart} and call {@link Path.send}.
 */
import { CHECKSUM, HEADROOM, SEGMENTATION } from '../link/device.ts';
import type { Device, Frame } from '../link/device.ts';
import type { IpAddress, IpVersion } from '../wire/address.ts';
import { addBytes, finish } from '../wire/checksum.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../wire/ethernet.ts';
import { DEFAULT_TTL, IPV4, IPV4_FRAGMENT, pseudoHeaderSum, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6, IPV6_FRAGMENT, IPV6_NEXT_FRAGMENT, writeIpv6 } from '../wire/ipv6.ts';
import type { Neighbour } from './neighbours.ts';

/** What all paths of a stack share. */
export interface Link {
  readonly device: Device;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** The one frame that everything is sent from. */
  readonly output: Frame;
  /** The next value for an IP header's identification field. */
  nextIdentification(): number;
}

/** RFC 8200, 5: every link carries packets of this size. RFC 791: for IPv4, hosts reassemble 576. */
export const MINIMUM_MTU = { 4: 576, 6: 1280 } as const;

export class Path {
  readonly version: IpVersion;
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly neighbour: Neighbour;
  /** Offset of the transport header in the output frame. */
  readonly transportStart: number;
  /** Largest IP packet that gets there. */
  mtu: number;
  readonly #link: Link;
  readonly #header: Uint8Array;
  /** Sum of the IPv4 header without length and identification; all but the length of the pseudo-header, without protocol. */
  readonly #headerSum: number;
  readonly #addressSum: number;

  constructor(link: Link, local: IpAddress, remote: IpAddress, neighbour: Neighbour) {
    this.#link = link;
    this.version = remote.version;
    this.local = local;
    this.remote = remote;
    this.neighbour = neighbour;
    this.mtu = link.mtu;
    const ipSize = this.version === 4 ? IPV4.size : IPV6.size;
    this.transportStart = HEADROOM + ETHERNET.size + ipSize;
    this.#header = new Uint8Array(ETHERNET.size + ipSize);
    const view = new DataView(this.#header.buffer);
    writeEthernet(this.#header, 0, neighbour.mac, link.mac, this.version === 4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6);
    const addresses = { source: local, destination: remote };
    if (this.version === 4) {
      const fields = { totalLength: 0, identification: 0, fragment: IPV4_FRAGMENT.DONT, protocol: 0, ...addresses };
      writeIpv4(this.#header, view, ETHERNET.size, fields);
      view.setUint16(ETHERNET.size + IPV4.checksum, 0);
    } else
      writeIpv6(this.#header, view, ETHERNET.size, {
        payloadLength: 0,
        nextHeader: 0,
        hopLimit: DEFAULT_TTL,
        ...addresses,
      });
    this.#headerSum = addBytes(0, view, ETHERNET.size, ETHERNET.size + IPV4.size);
    this.#addressSum = pseudoHeaderSum(local, remote, 0);
  }

  /** Room for transport header and payload within the path's MTU. */
  get transportRoom(): number {
    return this.mtu - (this.transportStart - HEADROOM - ETHERNET.size);
  }

  /** The unfolded sum of the pseudo-header. */
  pseudoSum(protocol: number, transportLength: number): number {
    return this.#addressSum + protocol + transportLength;
  }

  /** RFC 8201, 4 and RFC 1191: only ever lower, never below the minimum. Returns whether anything changed. */
  lowerMtu(mtu: number): boolean {
    const lowered = Math.max(mtu, MINIMUM_MTU[this.version]);
    if (lowered >= this.mtu) return false;
    this.mtu = lowered;
    return true;
  }

  /**
   * Sends the output frame, whose transport part ends at `end`. Its checksum and segmentation fields are set already; a packet
   * over the MTU that the device is not asked to segment must have a complete checksum and is sent in fragments.
   */
  send(end: number, protocol: number): void {
    const { output } = this.#link;
    output.start = HEADROOM;
    output.end = end;
    const ipLength = end - HEADROOM - ETHERNET.size;
    if (output.segmentation === SEGMENTATION.NONE && ipLength > this.mtu) {
      this.#sendFragments(output.bytes.slice(this.transportStart, end), protocol);
      return;
    }
    output.bytes.set(this.#header, HEADROOM);
    if (this.version === 4) this.#completeIpv4(output.view, ipLength, protocol);
    else {
      output.view.setUint16(HEADROOM + ETHERNET.size + IPV6.payloadLength, ipLength - IPV6.size);
      output.bytes[HEADROOM + ETHERNET.size + IPV6.nextHeader] = protocol;
    }
    this.#transmit(output);
  }

  #completeIpv4(view: DataView, length: number, protocol: number): void {
    const at = HEADROOM + ETHERNET.size;
    const identification = this.#link.nextIdentification();
    view.setUint16(at + IPV4.totalLength, length);
    view.setUint16(at + IPV4.identification, identification);
    view.setUint8(at + IPV4.protocol, protocol);
    view.setUint16(at + IPV4.checksum, finish(this.#headerSum + length + identification + protocol));
  }

  #transmit(frame: Frame): void {
    const { neighbour } = this;
    if (!neighbour.resolved) {
      neighbour.hold(frame);
      return;
    }
    frame.bytes.set(neighbour.mac, HEADROOM);
    this.#link.device.transmit(frame);
  }

  #sendFragments(payload: Uint8Array, protocol: number): void {
    const { output, mac } = this.#link;
    const { bytes, view } = output;
    const ip = HEADROOM + ETHERNET.size;
    const overhead = this.version === 4 ? IPV4.size : IPV6.size + IPV6_FRAGMENT.size;
    const step = (this.mtu - overhead) & ~7;
    const identification = this.#link.nextIdentification();
    const addresses = { source: this.local, destination: this.remote };
    const type = this.version === 4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6;
    for (let offset = 0; offset < payload.length; offset += step) {
      const piece = payload.subarray(offset, offset + step);
      const more = offset + step < payload.length;
      writeEthernet(bytes, HEADROOM, this.neighbour.mac, mac, type);
      if (this.version === 4) {
        const fragment = (offset >> 3) | (more ? IPV4_FRAGMENT.MORE : 0);
        writeIpv4(bytes, view, ip, {
          totalLength: overhead + piece.length,
          identification,
          fragment,
          protocol,
          ...addresses,
        });
      } else {
        const payloadLength = IPV6_FRAGMENT.size + piece.length;
        writeIpv6(bytes, view, ip, {
          payloadLength,
          nextHeader: IPV6_NEXT_FRAGMENT,
          hopLimit: DEFAULT_TTL,
          ...addresses,
        });
        view.setUint16(ip + IPV6.size, protocol << 8);
        view.setUint16(ip + IPV6.size + IPV6_FRAGMENT.offsetAndMore, offset | (more ? IPV6_FRAGMENT.MORE : 0));
        view.setUint32(ip + IPV6.size + IPV6_FRAGMENT.identification, identification);
      }
      bytes.set(piece, ip + overhead);
      output.end = ip + overhead + piece.length;
      output.checksum = CHECKSUM.COMPLETE;
      this.#transmit(output);
    }
  }
}
