import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';
import { AT_FDCWD, AT_REMOVEDIR, CLONE, MNT_DETACH, MS, O } from '../sys/linux-constants.ts';

/** Where a keeper keeps /dev/fuse open. */
export const KEEPER_FUSE_FD = 10;

export interface KeeperInput {
  readonly holderPid: number;
  readonly mountPoint: string;
  /** Lowers are never written through; a container's own root file system is. */
  readonly readonly: boolean;
  /** Honour setuid bits and file capabilities: for a mount that is a container's root itself. */
  readonly suid: boolean;
}

/**
 * Mounts a FUSE file system in the holder's namespaces and sleeps. The kernel wants /dev/fuse opened in the user
 * namespace that mounts it (fs/fuse/inode.c), and a sleeping process cannot receive fds, so each mount has a keeper.
 */
export function keeperPlan({ holderPid, mountPoint, readonly, suid }: KeeperInput): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-keeper');
  joinNamespaces(plan, holderPid, CLONE.NEWNS);
  plan.call('mkdirat', [AT_FDCWD, mountPoint, 0o755], `create ${mountPoint}`, { ignore: true });
  // A mount whose keeper was killed answers nobody, and would lie below the new one for ever.
  plan.call('umount2', [mountPoint, MNT_DETACH], `unmount ${mountPoint}`, { ignore: true });
  const fuse = plan.call('openat', [AT_FDCWD, '/dev/fuse', O.RDWR | O.CLOEXEC, 0], 'open /dev/fuse');
  plan.call('dup3', [fuse, KEEPER_FUSE_FD, O.CLOEXEC], 'keep /dev/fuse');
  plan.call('close', [fuse], 'close /dev/fuse');
  // linux/fuse.h is spoken by the image server; the kernel checks permissions itself (default_permissions).
  const options = `fd=${KEEPER_FUSE_FD},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions`;
  const flags = MS.NODEV | (suid ? 0 : MS.NOSUID) | (readonly ? MS.RDONLY : 0);
  plan.call('mount', ['trun', mountPoint, 'fuse.trun', flags, options], `mount FUSE at ${mountPoint}`);
  plan.pseudo('note', [0], 'report');
  // Whoever dies before the mount is on record takes the keeper along.
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait to be on record', { nonzero: true });
  plan.call('close', [STATUS_FD], 'close the status socket');
  plan.call('close', [PLAN_FD], 'close the plan');
  plan.call('ppoll', [0, 0, 0, 0, 0], 'sleep');
  return plan;
}

/** Takes a mount away from the mount namespace that its keeper lives in. Who uses it already keeps it. */
export function unmountPlan(keeperPid: number, mountPoint: string): LaunchPlan {
  const plan = new LaunchPlan();
  joinNamespaces(plan, keeperPid, CLONE.NEWNS);
  plan.call('umount2', [mountPoint, MNT_DETACH], `unmount ${mountPoint}`, { ignore: true });
  plan.call('unlinkat', [AT_FDCWD, mountPoint, AT_REMOVEDIR], `remove ${mountPoint}`, { ignore: true });
  return plan;
}
