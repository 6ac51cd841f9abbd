import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  CAPABILITY_NAMES,
  capabilityHalves,
  capabilityMask,
  DEFAULT_CAPABILITIES,
  resolveCapabilities,
} from './capabilities.ts';

const header = (() => {
  try {
    return readFileSync('/usr/include/linux/capability.h', 'utf8');
  } catch {
    return undefined;
  }
})();

describe('capabilities', () => {
  test('have the numbers of linux/capability.h', ({ skip }) => {
    skip(header === undefined, 'linux/capability.h is not installed');
    const defined = [...header!.matchAll(/^#define (CAP_[A-Z_]+)\s+(\d+)$/gm)].map(([, name, number]) => [
      name,
      Number(number),
    ]);
    expect(defined.length).toBeGreaterThan(37);
    for (const [name, number] of defined) expect([name, CAPABILITY_NAMES[number as number]]).toEqual([name, name]);
  });

  test("the default set is Docker's mask", () => {
    expect(capabilityMask(resolveCapabilities({}))).toBe(0xa80425fbn);
    expect(capabilityMask(DEFAULT_CAPABILITIES)).toBe(0xa80425fbn);
  });

  test('are added and dropped, in any spelling', () => {
    expect(resolveCapabilities({ add: ['net_admin'], drop: ['CAP_CHOWN', 'Kill'] })).not.toContain('CAP_KILL');
    expect(resolveCapabilities({ add: ['net_admin'], drop: ['CAP_CHOWN', 'Kill'] })).toHaveLength(13);
    expect(resolveCapabilities({ drop: ['all'], add: ['Cap_Chown'] })).toEqual(['CAP_CHOWN']);
    expect(resolveCapabilities({ add: ['ALL'], drop: ['SYS_ADMIN'] })).toHaveLength(CAPABILITY_NAMES.length - 1);
    expect(resolveCapabilities({ add: ['CHOWN'], drop: ['CHOWN'] })).toContain('CAP_CHOWN');
    expect(resolveCapabilities({ drop: ['ALL'] })).toEqual([]);
    expect(resolveCapabilities({ privileged: true })).toEqual(CAPABILITY_NAMES);
    expect(() => resolveCapabilities({ add: ['fly'] })).toThrow('invalid CapAdd: unknown capability: "CAP_FLY"');
    expect(() => resolveCapabilities({ drop: ['fly'] })).toThrow('invalid CapDrop: unknown capability: "CAP_FLY"');
  });

  test('become masks of 32-bit halves, without what the kernel does not know', () => {
    expect(capabilityHalves(capabilityMask(['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE']))).toEqual([1, 1 << 8]);
    expect(capabilityMask(CAPABILITY_NAMES, 37)).toBe((1n << 38n) - 1n);
    expect(() => capabilityMask(['CAP_FLY'])).toThrow('unknown capability: "CAP_FLY"');
  });
});
