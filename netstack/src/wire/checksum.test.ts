import { describe, expect, it } from 'vitest';
import { addBytes, finish, finishUdp, verifies } from './checksum.ts';

function view(bytes: number[]): DataView {
  return new DataView(Uint8Array.from(bytes).buffer);
}

describe('Internet checksum', () => {
  it('matches the example of RFC 1071', () => {
    expect(finish(addBytes(0, view([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0, 8))).toBe(0x220d);
  });

  it('matches a known IPv4 header', () => {
    const header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
    expect(verifies(addBytes(0, view(header), 0, 20))).toBe(true);
    header[8] = 0x3f;
    expect(verifies(addBytes(0, view(header), 0, 20))).toBe(false);
  });

  it('is the same whatever the alignment of the pieces, and pads an odd end', () => {
    const bytes = Array.from({ length: 1001 }, (_, index) => (index * 37) & 0xff);
    const whole = finish(addBytes(0, view(bytes), 0, bytes.length));
    expect(finish(addBytes(addBytes(0, view(bytes), 0, 334), view(bytes), 334, bytes.length))).toBe(whole);
    expect(finish(addBytes(0, view([...bytes, 0]), 0, bytes.length + 1))).toBe(whole);
  });

  it('never gives UDP the value that means "none"', () => {
    expect(finishUdp(addBytes(0, view([0xff, 0xff]), 0, 2))).toBe(0xffff);
  });

  it('holds for the largest frame of ones', () => {
    const bytes = Array<number>(65_534).fill(0xff);
    expect(finish(addBytes(0, view(bytes), 0, bytes.length))).toBe(0);
  });
});
