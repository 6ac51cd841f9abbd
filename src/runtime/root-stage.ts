/** The container's root: mounted, opened, and at the end made the root of its mount namespace. */
import { overlayOptions, type RootSource } from '../base/root-source.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import { AT_EMPTY_PATH, AT_FDCWD, MNT_DETACH, MOUNT_ATTR, MS, O } from '../sys/linux-constants.ts';
import { FD } from './fds.ts';
import { folderInRoot } from './inside-root.ts';
import type { ContainerInput } from './launch-input.ts';
import { mountAttr } from './structures.ts';

export function appendRootMount(
  plan: LaunchPlan,
  { root, rootTarget }: Pick<ContainerInput, 'root' | 'rootTarget'>,
): void {
  plan.call('mount', ['none', '/', 0, MS.REC | MS.PRIVATE, 0], 'make mounts private');
  if (root.kind === 'overlay') mountOverlay(plan, root, rootTarget);
  else plan.call('mount', [root.path, rootTarget, 0, MS.BIND | MS.REC, 0], `bind the root file system ${root.path}`);
  const opened = plan.call(
    'openat',
    [AT_FDCWD, rootTarget, O.PATH | O.DIRECTORY | O.CLOEXEC, 0],
    'open the root file system',
  );
  plan.call('dup3', [opened, FD.root, O.CLOEXEC], 'move the root file system');
}

/** overlayfs(Documentation/filesystems/overlayfs.rst): `userxattr` is what makes it work without privileges. */
function mountOverlay(plan: LaunchPlan, root: Extract<RootSource, { kind: 'overlay' }>, target: string): void {
  plan.call('chdir', [root.folder], `enter ${root.folder}`);
  const options = overlayOptions(root);
  plan.call('mount', ['overlay', target, 'overlay', MS.NODEV, options], 'mount the root file system (overlay)');
  plan.call('chdir', ['/'], 'enter /');
}

/** Makes the working directory where the image has none, as Docker does. */
export function appendWorkingDirectory(plan: LaunchPlan, cwd: string): void {
  if (cwd !== '/') folderInRoot(plan, cwd);
}

export function appendReadonlyRoot(plan: LaunchPlan): void {
  const attr = mountAttr(MOUNT_ATTR.RDONLY, 0);
  plan.call('mount_setattr', [FD.root, '', AT_EMPTY_PATH, attr, attr.length], 'make the root file system read-only');
}

/** pivot_root(2), NOTES: the new root goes over the old, which is then the one on top to be taken away. */
export function appendPivot(plan: LaunchPlan): void {
  plan.call('fchdir', [FD.root], 'enter the root file system');
  plan.call('pivot_root', ['.', '.'], 'change the root file system');
  plan.call('umount2', ['.', MNT_DETACH], "leave the host's root file system");
  plan.call('chdir', ['/'], 'enter /');
}
