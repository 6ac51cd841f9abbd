const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes as Docker prints them: three digits, powers of 1000: `77.8MB`, `0B`. */
export function formatSize(bytes: number): string {
  return scale(bytes, 1000, UNITS, 3);
}

/** Bytes in powers of 1024, four digits: `15.63GiB`. */
export function formatBinarySize(bytes: number): string {
  return scale(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 4);
}

function scale(bytes: number, base: number, units: readonly string[], digits: number): string {
  let [value, unit] = [bytes, 0];
  // Rounding may carry into the next unit: 999.9 kB is 1 MB.
  while (Number(value.toPrecision(digits)) >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}
