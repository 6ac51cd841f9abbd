/** The mounts of the runtime spec, in its order, below the new root. Mounts are made detached and then moved to their place. */
import { Label, type LaunchPlan, type Result } from '../monitor/plan.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  FSCONFIG,
  MOUNT_ATTR,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O,
  OPEN_TREE_CLONE,
} from '../sys/linux-constants.ts';
import type { Mount } from '../oci/runtime-spec.ts';
import { fileInRoot, folderInRoot, properFolderInRoot } from './inside-root.ts';
import { parseMountOptions, type MountOptions } from './mount-options.ts';
import { mountAttr } from './structures.ts';

const MOVE_BY_FD = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLOEXEC = O.CLOEXEC;

/** A bind mount with what the plan must know of its source and cannot find out itself. */
export interface PlannedMount extends Mount {
  /** A bind mount of something that is not a folder. */
  readonly isFile?: boolean;
}

export function appendMountStage(plan: LaunchPlan, mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) {
    const options = parseMountOptions(mount.options ?? []);
    if (isBind(mount)) appendBind(plan, mount, options);
    else if (mount.type === 'cgroup' || mount.type === 'cgroup2') appendCgroup(plan, mount, options);
    else if (mount.type === 'sysfs') appendSysfs(plan, mount, options);
    else appendMount(plan, mount, options);
  }
}

function appendMount(plan: LaunchPlan, { type = 'none', source, destination }: Mount, options: MountOptions): void {
  const made = makeMount(plan, type, source, options, destination);
  moveTo(plan, made, destination, type === 'proc' ? properFolderInRoot : folderInRoot);
}

function isBind({ type, options = [] }: Mount): boolean {
  return type === 'bind' || options.includes('bind') || options.includes('rbind');
}

/** A new mount that has no place yet: fsopen(2), fsconfig(2), fsmount(2). */
function makeMount(
  plan: LaunchPlan,
  type: string,
  source: string | undefined,
  options: MountOptions,
  destination: string,
  otherwise?: Label,
): Result {
  const action = `mount ${type} at ${destination}`;
  const on = otherwise === undefined ? {} : { otherwise };
  const context = plan.call('fsopen', [type, FSOPEN_CLOEXEC], action, on);
  plan.call('fsconfig', [context, FSCONFIG.SET_STRING, 'source', source ?? type, 0], action, { ignore: true });
  for (const [key, value] of options.data) {
    const argument = value === undefined ? [FSCONFIG.SET_FLAG, key, 0, 0] : [FSCONFIG.SET_STRING, key, value, 0];
    plan.call('fsconfig', [context, ...argument], `${action} with option ${key}`, on);
  }
  plan.call('fsconfig', [context, FSCONFIG.CMD_CREATE, 0, 0, 0], action, on);
  return plan.call('fsmount', [context, FSMOUNT_CLOEXEC, options.set], action, on);
}

function moveTo(plan: LaunchPlan, tree: Result, destination: string, open = folderInRoot): void {
  const target = open(plan, destination);
  plan.call('move_mount', [tree, '', target, '', MOVE_BY_FD], `mount at ${destination}`);
}

function appendBind(plan: LaunchPlan, mount: PlannedMount, options: MountOptions): void {
  const source = mount.source ?? '';
  const tree = cloneTree(plan, source, options.recursive);
  changeAttributes(plan, tree, options, `bind ${source} at ${mount.destination}`);
  // The host's sysfs, where the container has the host's network.
  const folder = mount.destination === '/sys' ? properFolderInRoot : folderInRoot;
  moveTo(plan, tree, mount.destination, mount.isFile === true ? fileInRoot : folder);
}

/** A detached copy of what is mounted at a path of the host: open_tree(2). */
function cloneTree(plan: LaunchPlan, source: string, recursive: boolean, options = {}): Result {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return plan.call('open_tree', [AT_FDCWD, source, flags], `bind ${source}`, options);
}

function changeAttributes(
  plan: LaunchPlan,
  tree: Result,
  { set, clear, propagation, recursive }: MountOptions,
  action: string,
): void {
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  if (set !== 0 || clear !== 0) {
    const attr = mountAttr(set, clear);
    plan.call('mount_setattr', [tree, '', flags, attr, attr.length], action);
  }
  if (propagation !== 0) {
    const attr = mountAttr(0, 0, propagation);
    plan.call('mount_setattr', [tree, '', flags, attr, attr.length], action);
  }
}

/**
 * A new sysfs shows the devices of a network namespace and is only for who owns that (mount_namespaces(7)). With the
 * host's network, the host's sysfs is bound instead, read-only.
 */
function appendSysfs(plan: LaunchPlan, mount: Mount, options: MountOptions): void {
  const [bound, done] = [new Label(), new Label()];
  const made = makeMount(plan, 'sysfs', 'sysfs', options, mount.destination, bound);
  moveTo(plan, made, mount.destination, properFolderInRoot);
  plan.jump(done);
  plan.place(bound);
  const tree = cloneTree(plan, '/sys', true);
  const restrict = { ...options, set: options.set | MOUNT_ATTR.RDONLY, recursive: true };
  changeAttributes(plan, tree, restrict, `mount the host's sysfs at ${mount.destination}`);
  moveTo(plan, tree, mount.destination, properFolderInRoot);
  plan.place(done);
}

/** cgroup2 of the container's cgroup namespace; a host with cgroup v1 alone has none to show. */
function appendCgroup(plan: LaunchPlan, mount: Mount, options: MountOptions): void {
  const none = new Label();
  const made = makeMount(plan, 'cgroup2', 'cgroup', { ...options, data: [] }, mount.destination, none);
  const target = folderInRoot(plan, mount.destination);
  plan.call('move_mount', [made, '', target, '', MOVE_BY_FD], `mount cgroup2 at ${mount.destination}`, {
    ignore: true,
  });
  plan.place(none);
}
