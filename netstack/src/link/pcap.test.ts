import { describe, expect, it } from 'vitest';
import { Frame, HEADROOM, NO_OFFLOADS } from './device.ts';
import { CaptureFile, CapturingDevice } from './pcap.ts';

/** The blocks of a file: type and body, with both lengths checked. */
function blocks(file: Uint8Array): { type: number; body: DataView }[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const found = [];
  for (let at = 0; at < file.length;) {
    const length = view.getUint32(at + 4, true);
    expect(length % 4).toBe(0);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    found.push({
      type: view.getUint32(at, true),
      body: new DataView(file.buffer, file.byteOffset + at + 8, length - 12),
    });
    at += length;
  }
  return found;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('CaptureFile', () => {
  it('writes a section, interfaces and packets that name them', () => {
    const parts: Uint8Array[] = [];
    const file = new CaptureFile((part) => parts.push(part));
    expect([file.addInterface('eth0', 100), file.addInterface('lo', 100)]).toEqual([0, 1]);
    file.packet({
      interface: 1,
      time: 0x1_0000_0002n,
      bytes: Uint8Array.of(1, 2, 3),
      length: 60,
      direction: 'outbound',
    });
    const [section, eth0, lo, packet, ...rest] = blocks(join(parts));
    expect(rest).toEqual([]);
    expect([section!.type, section!.body.getUint32(0, true)]).toEqual([0x0a0d0d0a, 0x1a2b3c4d]);
    expect([eth0!.type, eth0!.body.getUint16(0, true), eth0!.body.getUint32(4, true)]).toEqual([1, 1, 100]);
    expect(lo!.body.getUint16(10, true)).toBe(2);
    const words = [0, 4, 8, 12, 16].map((at) => packet!.body.getUint32(at, true));
    expect(words).toEqual([1, 1, 2, 3, 60]);
    expect([packet!.body.getUint8(22), packet!.body.getUint32(28, true)]).toEqual([3, 2]);
  });
});

describe('CapturingDevice', () => {
  it('records what it passes on, cut', () => {
    const parts: Uint8Array[] = [];
    const sent: number[] = [];
    const device = { offloads: NO_OFFLOADS, transmit: (frame: Frame) => void sent.push(frame.end - frame.start) };
    const capturing = new CapturingDevice(device, new CaptureFile((part) => parts.push(part)), () => 5n, 20);
    const frame = new Frame(HEADROOM + 60);
    frame.end = HEADROOM + 60;
    capturing.transmit(frame);
    expect(sent).toEqual([60]);
    const packet = blocks(join(parts)).at(-1)!;
    expect([12, 16].map((at) => packet.body.getUint32(at, true))).toEqual([20, 60]);
  });
});
