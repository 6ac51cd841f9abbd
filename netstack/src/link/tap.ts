/**
 * A TAP device as the stack's link.
 *
 * With the virtio-net header (virtio 1.2, 5.1.6; struct virtio_net_hdr, little-endian as TAPs have it on the machines that we
 * run on) the kernel of the other side hands over TCP segments of up to 64 KiB without checksums and takes such ones, whatever
 * the MTU is. That is worth a factor of five at MTU 1500.
 */
import { constants } from 'node:fs';
import { CHECKSUM, FRAME_CAPACITY, Frame, HEADROOM, NO_OFFLOADS, SEGMENTATION } from './device.ts';
import type { Device, Offloads } from './device.ts';
import { addressOf, check, libc } from '../sys/libc.ts';
import { TUN_OFFLOAD, setTapHeaderSize, setTapInterface, setTapOffloads, setTapPersistent } from '../sys/tun.ts';

/** struct virtio_net_hdr (linux/virtio_net.h): offsets. */
const VNET = {
  size: 10,
  flags: 0,
  gsoType: 1,
  headerLength: 2,
  gsoSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
} as const;
const VNET_FLAG = { NEEDS_CSUM: 1, DATA_VALID: 2 } as const;
/** VIRTIO_NET_HDR_GSO_ECN may be or-ed to a TCP type. */
const GSO_ECN = 0x80;

const { CSUM, TSO4, TSO6, ECN, USO4, USO6 } = TUN_OFFLOAD;
/** What we can read, best first: USO came with Linux 6.2. */
const OFFLOADS = [
  CSUM | TSO4 | TSO6 | ECN | USO4 | USO6,
  CSUM | TSO4 | TSO6 | ECN,
  CSUM | TSO4 | TSO6,
  CSUM | TSO4,
  CSUM,
];

export interface TapOptions {
  /** Offloads through the virtio-net header. Default true. */
  readonly vnetHeader?: boolean;
  /** TUNSETPERSIST: the interface outlives its descriptors. Default: not touched. */
  readonly persistent?: boolean;
}

/**
 * Makes an open /dev/net/tun descriptor the TAP `name` and returns it as a device. The descriptor may come from another
 * process (pidfd_getfd, SCM_RIGHTS): the interface belongs to the network namespace in which it was opened, and the calls
 * here work from any. A descriptor that is a TAP already is taken over as it is.
 * Throws Node-shaped errors: EPERM (no authority over that namespace), EBUSY (another descriptor has the interface),
 * EBADFD and ENOTTY (not a tun descriptor).
 */
export function attachTap(fd: number, name: string, options: TapOptions = {}): Tap {
  const vnetHeader = setTapInterface(fd, name, options.vnetHeader ?? true);
  if (options.persistent !== undefined) setTapPersistent(fd, options.persistent);
  let offloads = NO_OFFLOADS;
  if (vnetHeader) {
    setTapHeaderSize(fd, VNET.size);
    const taken = setTapOffloads(fd, OFFLOADS);
    // Injecting partial checksums and GSO frames needs the header alone; TUNSETOFFLOAD is about what we are given to read.
    offloads = { checksum: true, tcp4: (taken & TSO4) !== 0, tcp6: (taken & TSO6) !== 0 };
  }
  // Shared with every process that holds this descriptor, which is as it should be: nobody reads a TAP blocking.
  const F_GETFL = 3;
  const F_SETFL = 4;
  const flags = check(libc.fcntl(fd, F_GETFL, 0), 'fcntl', `Cannot read the flags of the TAP device ${name}`);
  check(
    libc.fcntl(fd, F_SETFL, flags | constants.O_NONBLOCK),
    'fcntl',
    `Cannot set the TAP device ${name} non-blocking`,
  );
  return new Tap(fd, name, vnetHeader, offloads);
}

/** Counted in frames, except where the name says bytes. */
export interface TapCounters {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** The kernel did not take the frame: interface down, queue full. */
  sendErrors: number;
}

export class Tap implements Device {
  readonly fd: number;
  readonly name: string;
  readonly offloads: Offloads;
  readonly counters: TapCounters = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, sendErrors: 0 };
  readonly #vnetHeader: boolean;

  constructor(fd: number, name: string, vnetHeader: boolean, offloads: Offloads) {
    this.fd = fd;
    this.name = name;
    this.offloads = offloads;
    this.#vnetHeader = vnetHeader;
  }

  /** Reads the next frame; false when none is waiting. */
  receive(frame: Frame): boolean {
    const skip = this.#vnetHeader ? 0 : HEADROOM;
    const length = libc.read(this.fd, addressOf(frame.bytes) + skip, FRAME_CAPACITY - skip);
    if (length <= HEADROOM - skip) return false;
    frame.start = HEADROOM;
    frame.end = length + skip;
    this.counters.received++;
    this.counters.receivedBytes += frame.end - HEADROOM;
    if (this.#vnetHeader) this.#readHeader(frame);
    else frame.plain(frame.end - HEADROOM);
    return true;
  }

  transmit(frame: Frame): void {
    const skip = this.#vnetHeader ? frame.start - HEADROOM : frame.start;
    if (this.#vnetHeader) this.#writeHeader(frame, skip);
    const length = frame.end - skip;
    if (libc.write(this.fd, addressOf(frame.bytes) + skip, length) === length) {
      this.counters.sent++;
      this.counters.sentBytes += frame.end - frame.start;
    } else this.counters.sendErrors++;
  }

  #readHeader(frame: Frame): void {
    const { bytes, view } = frame;
    const flags = bytes[VNET.flags]!;
    if ((flags & VNET_FLAG.NEEDS_CSUM) !== 0) {
      frame.checksum = CHECKSUM.PARTIAL;
      frame.checksumStart = view.getUint16(VNET.checksumStart, true);
      frame.checksumField = frame.checksumStart + view.getUint16(VNET.checksumOffset, true);
    } else frame.checksum = (flags & VNET_FLAG.DATA_VALID) !== 0 ? CHECKSUM.VERIFIED : CHECKSUM.COMPLETE;
    frame.segmentation = bytes[VNET.gsoType]! & ~GSO_ECN;
    frame.segmentSize = view.getUint16(VNET.gsoSize, true);
    frame.headerLength = view.getUint16(VNET.headerLength, true);
  }

  #writeHeader(frame: Frame, at: number): void {
    const { bytes, view } = frame;
    const partial = frame.checksum === CHECKSUM.PARTIAL;
    const segmented = frame.segmentation !== SEGMENTATION.NONE;
    bytes[at + VNET.flags] = partial ? VNET_FLAG.NEEDS_CSUM : 0;
    bytes[at + VNET.gsoType] = frame.segmentation;
    view.setUint16(at + VNET.headerLength, segmented ? frame.headerLength : 0, true);
    view.setUint16(at + VNET.gsoSize, segmented ? frame.segmentSize : 0, true);
    view.setUint16(at + VNET.checksumStart, partial ? frame.checksumStart : 0, true);
    view.setUint16(at + VNET.checksumOffset, partial ? frame.checksumField - frame.checksumStart : 0, true);
  }
}
