/**
 * Capture files for tcpdump and wireshark: pcapng (draft-ietf-opsawg-pcapng) of Ethernet interfaces, with timestamps in
 * nanoseconds; and a device in front of another that records what it sends.
 */
import type { Device, Frame, Offloads } from './device.ts';

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, PACKET: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** if_name; if_tsresol, in units of 10^-9 s; epb_flags. */
const OPTION = { NAME: 2, FLAGS: 2, RESOLUTION: 9 } as const;
/** The direction bits of epb_flags. */
const DIRECTION = { inbound: 1, outbound: 2 } as const;

export interface CapturedPacket {
  /** As `addInterface` has given it. */
  readonly interface: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** The frame, or its beginning. */
  readonly bytes: Uint8Array;
  /** Its whole length. */
  readonly length: number;
  readonly direction?: keyof typeof DIRECTION;
}

/** Writes pcapng blocks to `write`, which may keep the array. */
export class CaptureFile {
  readonly #write: (block: Uint8Array) => void;
  #interfaces = 0;

  constructor(write: (block: Uint8Array) => void) {
    this.#write = write;
    const section = block(BLOCK.SECTION, 16);
    section.setUint32(8, BYTE_ORDER, true);
    section.setUint16(12, 1, true);
    section.setBigInt64(16, -1n, true);
    this.#emit(section);
  }

  /** Describes an interface; its number in this file. Frames are cut to `snapLength` bytes. */
  addInterface(name: string, snapLength: number): number {
    const text = Uint8Array.from(name, (character) => character.charCodeAt(0));
    const padded = align(text.length);
    const view = block(BLOCK.INTERFACE, 8 + 4 + padded + 8 + 4);
    view.setUint16(8, LINKTYPE_ETHERNET, true);
    view.setUint32(12, snapLength, true);
    view.setUint16(16, OPTION.NAME, true);
    view.setUint16(18, text.length, true);
    new Uint8Array(view.buffer).set(text, 20);
    const resolution = 20 + padded;
    view.setUint16(resolution, OPTION.RESOLUTION, true);
    view.setUint16(resolution + 2, 1, true);
    view.setUint8(resolution + 4, 9);
    this.#emit(view);
    return this.#interfaces++;
  }

  packet({ interface: number, time, bytes, length, direction }: CapturedPacket): void {
    const padded = align(bytes.length);
    const view = block(BLOCK.PACKET, 20 + padded + (direction === undefined ? 0 : 12));
    view.setUint32(8, number, true);
    view.setUint32(12, Number(time >> 32n), true);
    view.setUint32(16, Number(time & 0xffffffffn), true);
    view.setUint32(20, bytes.length, true);
    view.setUint32(24, length, true);
    new Uint8Array(view.buffer).set(bytes, 28);
    if (direction !== undefined) {
      view.setUint16(28 + padded, OPTION.FLAGS, true);
      view.setUint16(30 + padded, 4, true);
      view.setUint32(32 + padded, DIRECTION[direction], true);
    }
    this.#emit(view);
  }

  #emit(view: DataView): void {
    this.#write(new Uint8Array(view.buffer));
  }
}

/** Records each frame on its way to `device`. */
export class CapturingDevice implements Device {
  readonly offloads: Offloads;
  readonly #device: Device;
  readonly #file: CaptureFile;
  readonly #clock: () => bigint;
  readonly #snapLength: number;
  readonly #interface: number;

  /** `clock` gives nanoseconds since 1970. Frames are cut to `snapLength` bytes. */
  constructor(device: Device, file: CaptureFile, clock: () => bigint, snapLength = 65_535) {
    this.#device = device;
    this.offloads = device.offloads;
    this.#file = file;
    this.#clock = clock;
    this.#snapLength = snapLength;
    this.#interface = file.addInterface('device', snapLength);
  }

  transmit(frame: Frame): void {
    const length = frame.end - frame.start;
    const bytes = frame.bytes.subarray(frame.start, frame.start + Math.min(length, this.#snapLength));
    this.#file.packet({ interface: this.#interface, time: this.#clock(), bytes, length });
    this.#device.transmit(frame);
  }
}

function align(length: number): number {
  return (length + 3) & ~3;
}

/** A block with `size` bytes of body: type and both lengths are filled in. */
function block(type: number, size: number): DataView {
  const view = new DataView(new ArrayBuffer(12 + size));
  view.setUint32(0, type, true);
  view.setUint32(4, 12 + size, true);
  view.setUint32(8 + size, 12 + size, true);
  return view;
}
