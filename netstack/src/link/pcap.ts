/**
 * A device in front of another that records what it sends, as a capture file for tcpdump and wireshark: pcapng
 * (draft-ietf-opsawg-pcapng) with one Ethernet interface and nanosecond timestamps.
 */
import type { Device, Frame, Offloads } from './device.ts';

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, PACKET: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** if_tsresol: units of 10^-9 s. */
const OPTION_RESOLUTION = 9;

/** Writes pcapng blocks to `write`, which must not keep the array. */
export class PacketCapture {
  readonly #write: (block: Uint8Array) => void;
  readonly #clock: () => bigint;
  readonly #snapLength: number;

  /** `clock` gives nanoseconds since 1970. Frames are cut to `snapLength` bytes. */
  constructor(write: (block: Uint8Array) => void, clock: () => bigint, snapLength = 65_535) {
    this.#write = write;
    this.#clock = clock;
    this.#snapLength = snapLength;
    const section = block(BLOCK.SECTION, 16);
    section.setUint32(8, BYTE_ORDER, true);
    section.setUint16(12, 1, true);
    section.setBigInt64(16, -1n, true);
    this.#emit(section);
    const interfaceBlock = block(BLOCK.INTERFACE, 20);
    interfaceBlock.setUint16(8, LINKTYPE_ETHERNET, true);
    interfaceBlock.setUint32(12, snapLength, true);
    interfaceBlock.setUint16(16, OPTION_RESOLUTION, true);
    interfaceBlock.setUint16(18, 1, true);
    interfaceBlock.setUint8(20, 9);
    this.#emit(interfaceBlock);
  }

  record(frame: Frame): void {
    const length = frame.end - frame.start;
    const captured = Math.min(length, this.#snapLength);
    const packet = block(BLOCK.PACKET, 20 + ((captured + 3) & ~3));
    const time = this.#clock();
    packet.setUint32(12, Number(time >> 32n), true);
    packet.setUint32(16, Number(time & 0xffffffffn), true);
    packet.setUint32(20, captured, true);
    packet.setUint32(24, length, true);
    new Uint8Array(packet.buffer).set(frame.bytes.subarray(frame.start, frame.start + captured), 28);
    this.#emit(packet);
  }

  #emit(view: DataView): void {
    this.#write(new Uint8Array(view.buffer));
  }
}

/** Records each frame on its way to `device`. */
export class CapturingDevice implements Device {
  readonly offloads: Offloads;
  readonly #device: Device;
  readonly #capture: PacketCapture;

  constructor(device: Device, capture: PacketCapture) {
    this.#device = device;
    this.offloads = device.offloads;
    this.#capture = capture;
  }

  transmit(frame: Frame): void {
    this.#capture.record(frame);
    this.#device.transmit(frame);
  }
}

/** A block with `size` bytes of body: type and both lengths are filled in. */
function block(type: number, size: number): DataView {
  const view = new DataView(new ArrayBuffer(12 + size));
  view.setUint32(0, type, true);
  view.setUint32(4, 12 + size, true);
  view.setUint32(8 + size, 12 + size, true);
  return view;
}
