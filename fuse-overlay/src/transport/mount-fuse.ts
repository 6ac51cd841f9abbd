/** Makes a FUSE mount and gives its descriptor. */
import { checked } from '../sys/errors.ts';
import { close, openAt } from '../sys/files.ts';
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, mount, unmount } from '../sys/mount.ts';
import { AT_FDCWD, O_RDWR } from '../sys/open-flags.ts';

export interface MountFuseOptions {
  /** Shown as source and, after `fuse.`, as type in the mount table. Default `fuse-overlay`. */
  readonly name?: string;
  readonly readOnly?: boolean;
  readonly noExec?: boolean;
  /** Others than the mounting user may use it. Default true. */
  readonly allowOther?: boolean;
  /** The kernel checks permissions by mode and owner. Default true. */
  readonly defaultPermissions?: boolean;
  /** Largest READ in bytes. */
  readonly maxRead?: number;
}

/**
 * Mounts on the directory `target` and returns the descriptor of /dev/fuse, to be given to `serve`. The process has to have
 * CAP_SYS_ADMIN in its user namespace and own its mount namespace (`unshare -Urm`): the kernel wants /dev/fuse to be opened in
 * the very user namespace that mounts. Throws a system error.
 */
export function mountFuse(target: string, options: MountFuseOptions = {}): number {
  const { name = 'fuse-overlay', allowOther = true, defaultPermissions = true } = options;
  const fd = checked(openAt(AT_FDCWD, '/dev/fuse', O_RDWR), 'openat', 'open /dev/fuse', '/dev/fuse');
  const data = [`fd=${fd}`, 'rootmode=40000', 'user_id=0', 'group_id=0'];
  if (allowOther) data.push('allow_other');
  if (defaultPermissions) data.push('default_permissions');
  if (options.maxRead !== undefined) data.push(`max_read=${options.maxRead}`);
  const flags = MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0) | (options.noExec ? MS_NOEXEC : 0);
  const result = mount(name, target, `fuse.${name}`, flags, data.join(','));
  if (result < 0) close(fd);
  checked(result, 'mount', `mount a FUSE file system on ${target}`, target);
  return fd;
}

/** Takes a mount off its directory; what is in use goes on until its last user is gone. */
export function unmountFuse(target: string): void {
  checked(unmount(target, MNT_DETACH), 'umount2', `unmount ${target}`, target);
}
