import { readFileSync } from 'node:fs';

/** How many CPUs the kernel may have online at any time: the end of `0-7`. */
export function possibleCpus(): number {
  const last = /(\d+)\s*$/.exec(readPossible())?.[1];
  return last === undefined ? 1 : Number(last) + 1;
}

function readPossible(): string {
  try {
    return readFileSync('/sys/devices/system/cpu/possible', 'latin1');
  } catch {
    return '';
  }
}

/** A mask of the first `cpus` CPUs as the kernel reads it: hexadecimal words of 32 bits, the highest first. */
export function cpuMask(cpus: number): string {
  const words = Array.from({ length: Math.ceil(cpus / 32) }, (_, i) => {
    const bits = Math.min(32, cpus - 32 * i);
    return (2 ** bits - 1).toString(16);
  });
  return words.reverse().join(',');
}
