import { expect, test } from 'vitest';
import { MOUNT_ATTR, MS } from '../sys/linux-constants.ts';
import { parseMountOptions, propagationFlags } from './mount-options.ts';

const NOTHING = { set: 0, clear: 0, clearBelow: false, propagation: 0, recursive: false, copyUp: false, data: [] };

test('attributes are set or cleared, and the last word counts', () => {
  expect(parseMountOptions(['ro', 'nosuid'])).toEqual({ ...NOTHING, set: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID });
  expect(parseMountOptions(['ro', 'rw'])).toEqual({ ...NOTHING, clear: MOUNT_ATTR.RDONLY });
  expect(parseMountOptions(['rw', 'ro'])).toEqual({ ...NOTHING, set: MOUNT_ATTR.RDONLY });
});

test('an r in front means the mounts below as well', () => {
  expect(parseMountOptions(['rro'])).toEqual({ ...NOTHING, set: MOUNT_ATTR.RDONLY });
  expect(parseMountOptions(['rrw'])).toEqual({ ...NOTHING, clear: MOUNT_ATTR.RDONLY, clearBelow: true });
  expect(parseMountOptions(['relatime'])).toEqual({ ...NOTHING, clear: 0x70 });
  expect(propagationFlags('rslave')).toBe(MS.SLAVE | MS.REC);
  expect(propagationFlags('private')).toBe(MS.PRIVATE);
});

test('binds may be recursive and have a propagation; neither is data', () => {
  expect(parseMountOptions(['rbind', 'rslave'])).toEqual({ ...NOTHING, recursive: true, propagation: MS.SLAVE });
  expect(parseMountOptions(['bind', 'z', 'defaults'])).toEqual(NOTHING);
});

test('what is nobody else’s is the file system’s, values with equals signs, too', () => {
  expect(parseMountOptions(['size=64k', 'mode=1777', 'newinstance', 'context=a=b']).data).toEqual([
    ['size', '64k'],
    ['mode', '1777'],
    ['newinstance', undefined],
    ['context', 'a=b'],
  ]);
});
