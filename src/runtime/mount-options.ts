/** Options of the runtime spec's mounts, sorted by who takes them: mount(8), mount_setattr(2), fsconfig(2). */
import { MOUNT_ATTR, MS } from '../sys/linux-constants.ts';

export interface MountOptions {
  /** MOUNT_ATTR_* bits to set and to clear; what is set counts for the mounts below as well. */
  readonly set: number;
  readonly clear: number;
  /** Clear the bits of the mounts below, too: asked for by `rrw`, `rsuid` and so on. */
  readonly clearBelow: boolean;
  /** MS_SHARED…: the propagation to give it, or 0 to leave it as it is. */
  readonly propagation: number;
  /** The file system begins with what it hides. */
  readonly copyUp: boolean;
  /** A bind mount takes what is mounted below as well. */
  readonly recursive: boolean;
  /** What the file system itself is told: `[key, value]`, or a flag without value. */
  readonly data: readonly (readonly [key: string, value: string | undefined])[];
}

const ATTRIBUTES: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [MOUNT_ATTR.RDONLY, 0],
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
  diratime: [0, 0x80],
  nosymfollow: [0x200000, 0],
  symfollow: [0, 0x200000],
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
  'tmpcopyup',
  'sync',
  'dirsync',
  'mand',
  'nomand',
  'iversion',
  'noiversion',
  'silent',
  'norelatime',
  'nostrictatime',
  'atime',
  'lazytime',
  'nolazytime',
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

/** All words with a meaning of their own here. */
export const MOUNT_WORDS: readonly string[] = [...Object.keys(ATTRIBUTES), ...Object.keys(PROPAGATION)];

export function parseMountOptions(options: readonly string[]): MountOptions {
  let [set, clear, propagation] = [0, 0, 0];
  let clearBelow = false;
  const data: [string, string | undefined][] = [];
  for (const option of options) {
    const below = option.startsWith('r') ? ATTRIBUTES[option.slice(1)] : undefined;
    const attribute = ATTRIBUTES[option] ?? below;
    const spread = PROPAGATION[option];
    if (attribute !== undefined) {
      set = (set & ~attribute[1]) | attribute[0];
      clear = (clear & ~attribute[0]) | attribute[1];
      clearBelow ||= below !== undefined && attribute[1] !== 0;
    } else if (spread !== undefined) {
      propagation = spread;
    } else if (!IGNORED.has(option)) {
      const equals = option.indexOf('=');
      data.push(equals === -1 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)]);
    }
  }
  return {
    set,
    clear,
    clearBelow,
    propagation,
    recursive: options.includes('rbind'),
    copyUp: options.includes('tmpcopyup'),
    data,
  };
}

/** MS_* flags of a propagation by its name; the `r` in front means the mounts below as well. */
export function propagationFlags(name: string): number {
  return (PROPAGATION[name] ?? 0) | (name.startsWith('r') ? MS.REC : 0);
}
