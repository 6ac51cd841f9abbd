/** Options of the runtime spec's mounts, sorted by who takes them: mount(8), mount_setattr(2), fsconfig(2). */
import { MOUNT_ATTR, MS } from '../sys/linux-constants.ts';

export interface MountOptions {
  /** MOUNT_ATTR_* bits to set and to clear. */
  readonly set: number;
  readonly clear: number;
  /** MS_SHARED…: the propagation to give it, or 0 to leave it as it is. */
  readonly propagation: number;
  /** A bind mount takes what is mounted below as well. */
  readonly recursive: boolean;
  /** What the file system itself is told: `[key, value]`, or a flag without value. */
  readonly data: readonly (readonly [key: string, value: string | undefined])[];
}

const ATTRIBUTES: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [MOUNT_ATTR.RDONLY, 0],
  rro: [MOUNT_ATTR.RDONLY, 0],
  rw: [0, MOUNT_ATTR.RDONLY],
  nosuid: [MOUNT_ATTR.NOSUID, 0],
  suid: [0, MOUNT_ATTR.NOSUID],
  nodev: [MOUNT_ATTR.NODEV, 0],
  dev: [0, MOUNT_ATTR.NODEV],
  noexec: [MOUNT_ATTR.NOEXEC, 0],
  exec: [0, MOUNT_ATTR.NOEXEC],
  noatime: [0x10, 0x70],
  relatime: [0, 0x70],
  strictatime: [0x20, 0x70],
  nodiratime: [0x80, 0],
};

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE,
  slave: MS.SLAVE,
  rslave: MS.SLAVE,
  shared: MS.SHARED,
  rshared: MS.SHARED,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE,
};

/** Words that say how to mount and are no data for the file system. */
const IGNORED = new Set([
  'defaults',
  'async',
  'nofail',
  'loud',
  'bind',
  'rbind',
  'z',
  'Z',
  'nocopy',
  'U',
  'consistent',
  'cached',
  'delegated',
]);

export function parseMountOptions(options: readonly string[]): MountOptions {
  let [set, clear, propagation] = [0, 0, 0];
  const data: [string, string | undefined][] = [];
  for (const option of options) {
    const attribute = ATTRIBUTES[option];
    const spread = PROPAGATION[option];
    if (attribute !== undefined) {
      set = (set & ~attribute[1]) | attribute[0];
      clear = (clear & ~attribute[0]) | attribute[1];
    } else if (spread !== undefined) {
      propagation = spread;
    } else if (!IGNORED.has(option)) {
      const equals = option.indexOf('=');
      data.push(equals === -1 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)]);
    }
  }
  return { set, clear, propagation, recursive: options.includes('rbind'), data };
}
