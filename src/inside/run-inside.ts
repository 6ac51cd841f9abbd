/** Starting the process that works on a container's files (main.ts). */
import { overlayOptions, type RootSource } from '../base/root-source.ts';
import type { Holder } from '../holder/holder.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import { INHERITED_FD } from '../monitor/plan-layout.ts';
import { CLONE, MS } from '../sys/linux-constants.ts';
import { startInside, type InsideProcess } from './start-inside.ts';
import type { Task } from './task.ts';

/**
 * Where the container's root is: open as an fd, which stays the caller's; a folder; or an overlay to be mounted at `target`
 * for the occasion.
 */
export type InsideRoot =
  | { readonly kind: 'open'; readonly fd: number }
  | Extract<RootSource, { kind: 'folder' }>
  | (Extract<RootSource, { kind: 'overlay' }> & { readonly target: string });

type WithoutRoot<T> = T extends unknown ? Omit<T, 'root'> : never;

/** Runs one task as root of the holder's user namespace. */
export function runInside(holder: Holder, root: InsideRoot, task: WithoutRoot<Task>): Promise<InsideProcess> {
  const argument = JSON.stringify({ ...task, root: rootPath(root) });
  const inherited = root.kind === 'open' ? [root.fd] : [];
  return startInside(holder, 'inside', argument, (plan) => mountRoot(plan, root), inherited);
}

function rootPath(root: InsideRoot): string {
  switch (root.kind) {
    case 'open':
      return `/proc/self/fd/${INHERITED_FD}`;
    case 'folder':
      return root.path;
    case 'overlay':
      return root.target;
  }
}

function mountRoot(plan: LaunchPlan, root: InsideRoot): void {
  if (root.kind !== 'overlay') return;
  plan.call('unshare', [CLONE.NEWNS], 'create a mount namespace');
  plan.call('mount', ['none', '/', 0, MS.REC | MS.SLAVE, 0], 'make mounts private');
  plan.call('chdir', [root.folder], `enter ${root.folder}`);
  plan.call(
    'mount',
    ['overlay', root.target, 'overlay', MS.NODEV, overlayOptions(root)],
    "mount the container's file system",
  );
}
