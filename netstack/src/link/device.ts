/**
 * The contract between the stack and whatever carries its Ethernet frames.
 *
 * A frame sits in a buffer with {@link HEADROOM} bytes in front, where a device may put its own header (a TAP its virtio-net
 * header), so that sending never copies. Devices may take over two jobs from the stack, as network cards do: the transport
 * checksum (the stack leaves the pseudo-header's sum in the field) and cutting a long TCP segment into segments of `segmentSize`
 * payload bytes each. A device that announces neither gets complete frames within the MTU.
 */

/** Bytes kept free before the Ethernet header: the size of struct virtio_net_hdr. */
export const HEADROOM = 10;

/** Largest frame that a device with segmentation takes or delivers, headroom included: 64 KiB of IP packet and a VLAN's worth more. */
export const FRAME_CAPACITY = 66_000;

/** Who computes the transport checksum. */
export const CHECKSUM = {
  /** It is in the frame and has to be verified. */
  COMPLETE: 0,
  /** The field holds the pseudo-header's sum; whoever puts the frame on a wire completes it. */
  PARTIAL: 1,
  /** The device vouches for it. */
  VERIFIED: 2,
} as const;

/** How a frame longer than the MTU is to be cut (values of struct virtio_net_hdr's gso_type). */
export const SEGMENTATION = { NONE: 0, TCP4: 1, TCP6: 4, UDP: 5 } as const;

/** One Ethernet frame in its buffer. Reused for frame after frame: who wants to keep bytes copies them. */
export class Frame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the Ethernet header starts. */
  start = HEADROOM;
  /** Where the frame ends (exclusive). */
  end = HEADROOM;
  /** One of {@link CHECKSUM}. */
  checksum: number = CHECKSUM.COMPLETE;
  /** With CHECKSUM.PARTIAL: where summing starts and where the field is, both from `start`. */
  checksumStart = 0;
  checksumField = 0;
  /** One of {@link SEGMENTATION}, the payload of each piece, and the length of all headers. */
  segmentation: number = SEGMENTATION.NONE;
  segmentSize = 0;
  headerLength = 0;

  constructor(capacity: number = FRAME_CAPACITY) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** A copy that may be kept. */
  copy(): Frame {
    const copy = new Frame(this.end);
    copy.bytes.set(this.bytes.subarray(0, this.end));
    copy.start = this.start;
    copy.end = this.end;
    copy.checksum = this.checksum;
    copy.checksumStart = this.checksumStart;
    copy.checksumField = this.checksumField;
    copy.segmentation = this.segmentation;
    copy.segmentSize = this.segmentSize;
    copy.headerLength = this.headerLength;
    return copy;
  }

  /** Makes it a complete, unsegmented frame of `length` bytes. */
  plain(length: number): void {
    this.end = this.start + length;
    this.checksum = CHECKSUM.COMPLETE;
    this.segmentation = SEGMENTATION.NONE;
  }
}

export interface Offloads {
  /** Completes transport checksums of outgoing frames. */
  readonly checksum: boolean;
  /** Cuts TCP segments over IPv4, over IPv6. */
  readonly tcp4: boolean;
  readonly tcp6: boolean;
}

export const NO_OFFLOADS: Offloads = { checksum: false, tcp4: false, tcp6: false };

export interface Device {
  readonly offloads: Offloads;
  /** Sends the frame or drops it, as a wire would; done with its bytes on return. */
  transmit(frame: Frame): void;
}
