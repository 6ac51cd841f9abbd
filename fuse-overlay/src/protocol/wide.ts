/** 64-bit integers as numbers: exact within ±2^53. Two 32-bit accesses are several times faster than a BigInt. */

const high32 = 0x1_0000_0000;

/** Writes two's complement, so it serves signed and unsigned fields. */
export function putWide(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / high32);
  view.setUint32(at, value - high * high32, true);
  view.setInt32(at + 4, high, true);
}

export function getWide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * high32;
}

export function getSignedWide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * high32;
}
