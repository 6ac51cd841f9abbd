/** Makes a FUSE mount and gives its descriptor. */
import { errno, checked } from '../sys/errors.ts';
import { close, openAt } from '../sys/files.ts';
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, mount, unmount } from '../sys/mount.ts';
import { AT_FDCWD, O_RDWR } from '../sys/open-flags.ts';
import { mountWithFusermount, unmountWithFusermount } from './fusermount.ts';

export interface MountFuseOptions {
  /** Shown as source and, after `fuse.`, as type in the mount table. Letters, digits and dashes. Default `fuse-overlay`. */
  readonly name?: string;
  readonly readOnly?: boolean;
  readonly noExec?: boolean;
  /** Others than the mounting user may use it. Default: true in a user namespace of one's own, false with fusermount3. */
  readonly allowOther?: boolean;
  /** The kernel checks permissions by mode and owner. Default true. */
  readonly defaultPermissions?: boolean;
  /** Largest READ in bytes. */
  readonly maxRead?: number;
}

/**
 * Mounts on the directory `target` and returns the descriptor of /dev/fuse, to be given to `serve`. Throws an error that
 * names the cause.
 *
 * Where the process may mount (in a user namespace, `unshare -Urm`), it does so itself; the kernel wants /dev/fuse to be opened
 * in the very user namespace that mounts. Elsewhere `fusermount3` does it.
 */
export function mountFuse(target: string, options: MountFuseOptions = {}): number {
  const { name = 'fuse-overlay', defaultPermissions = true } = options;
  if (!/^[\w-]+$/.test(name)) throw new RangeError(`Cannot use ${JSON.stringify(name)} as the name of a mount`);
  const common: string[] = [];
  if (defaultPermissions) common.push('default_permissions');
  if (options.maxRead !== undefined) common.push(`max_read=${options.maxRead}`);

  const fd = checked(openAt(AT_FDCWD, '/dev/fuse', O_RDWR), 'openat', 'open /dev/fuse', '/dev/fuse');
  const own = [`fd=${fd}`, 'rootmode=40000', 'user_id=0', 'group_id=0', ...common];
  if (options.allowOther !== false) own.push('allow_other');
  const flags = MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0) | (options.noExec ? MS_NOEXEC : 0);
  const result = mount(name, target, `fuse.${name}`, flags, own.join(','));
  if (result >= 0) return fd;
  close(fd);
  if (result !== -errno.EPERM) checked(result, 'mount', `mount a FUSE file system on ${target}`, target);

  const others = [`fsname=${name}`, `subtype=${name}`, 'nosuid', 'nodev', ...common];
  if (options.allowOther) others.push('allow_other');
  if (options.readOnly) others.push('ro');
  if (options.noExec) others.push('noexec');
  return mountWithFusermount(target, others.join(','));
}

/** Takes a mount off its directory; what is in use goes on until its last user is gone. */
export function unmountFuse(target: string): void {
  const result = unmount(target, MNT_DETACH);
  if (result === -errno.EPERM) unmountWithFusermount(target);
  else checked(result, 'umount2', `unmount ${target}`, target);
}
