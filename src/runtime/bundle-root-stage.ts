/** The root of a bundle's container: bound, opened, and made the root of its mount namespace. */
import type { LaunchPlan } from '../monitor/plan.ts';
import type { Linux } from '../oci/runtime-spec.ts';
import { AT_FDCWD, MNT_DETACH, MS, O } from '../sys/linux-constants.ts';
import { FD } from './fds.ts';
import { propagationFlags } from './mount-options.ts';

type Propagation = Linux['rootfsPropagation'];

export interface BundleRoot {
  /** The container has a mount namespace of its own. */
  readonly ownMounts: boolean;
  readonly propagation: Propagation;
  /** The mount point that `rootfs` lies on. */
  readonly rootfsMount: string;
}

export function appendBundleRoot(
  plan: LaunchPlan,
  rootfs: string,
  { ownMounts, propagation, rootfsMount }: BundleRoot,
): void {
  if (ownMounts) {
    const flags = firstPropagation(propagation) | MS.REC;
    plan.call('mount', ['none', '/', 0, flags, 0], 'set the propagation of the root');
    if (flags & MS.SHARED) {
      // pivot_root(2): neither the new root's parent may be shared, nor may what is bound here reach the host.
      plan.call('mount', ['none', rootfsMount, 0, MS.PRIVATE, 0], `make ${rootfsMount} private`);
    }
    plan.call('mount', [rootfs, rootfs, 0, MS.BIND | MS.REC, 0], `bind the root file system ${rootfs}`);
  }
  const opened = plan.call(
    'openat',
    [AT_FDCWD, rootfs, O.PATH | O.DIRECTORY | O.CLOEXEC, 0],
    `open the root file system ${rootfs}`,
  );
  plan.call('dup3', [opened, FD.root, O.CLOEXEC], 'move the root file system');
  plan.call('close', [opened], 'close the root file system');
}

/** As runc: what the host mounts later shows, unless the bundle says otherwise. What is unbindable, is so in the end. */
function firstPropagation(propagation: Propagation): number {
  if (propagation === undefined) return MS.SLAVE;
  const flags = propagationFlags(propagation);
  return flags & MS.UNBINDABLE ? MS.PRIVATE : flags;
}

export function appendRootChange(
  plan: LaunchPlan,
  { ownMounts, noPivot }: { readonly ownMounts: boolean; readonly noPivot: boolean },
): void {
  if (ownMounts && !noPivot) {
    const old = plan.call('openat', [AT_FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC, 0], 'open the old root');
    plan.call('fchdir', [FD.root], 'enter the root file system');
    plan.call('pivot_root', ['.', '.'], 'change the root file system');
    // A shared mount's end would be its peers' end, too.
    plan.call('fchdir', [old], "enter the host's root file system");
    plan.call('mount', ['none', '.', 0, MS.SLAVE | MS.REC, 0], "detach from the host's mounts");
    plan.call('umount2', ['.', MNT_DETACH], "leave the host's root file system");
  } else {
    plan.call('fchdir', [FD.root], 'enter the root file system');
    if (ownMounts) plan.call('mount', ['.', '/', 0, MS.MOVE, 0], 'move the root file system');
    plan.call('chroot', ['.'], 'change the root directory');
  }
  plan.call('chdir', ['/'], 'enter /');
}

/** Gives the container's root the propagation that was asked for, once nothing of the host's is in sight. */
export function appendPropagation(plan: LaunchPlan, propagation: Propagation): void {
  if (propagation === undefined) return;
  plan.call('mount', ['none', '/', 0, propagationFlags(propagation), 0], `make the root ${propagation}`);
}
