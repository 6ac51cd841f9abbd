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
import { FD } from './fds.ts';
import { fileInRoot, folderInRoot, properFolderInRoot } from './inside-root.ts';
import { parseMountOptions, type MountOptions } from './mount-options.ts';
import { mountAttr } from './structures.ts';

const MOVE_BY_FD = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLOEXEC = O.CLOEXEC;
/** strndup_user in fs/fsopen.c: 256 with the NUL. */
const FSCONFIG_MAX = 255;
/** MOUNT_ATTR__ATIME: a field that is set as a whole. */
const MOUNT_ATTR_ATIME = 0x70;

/** A bind mount with what the plan must know of its source and cannot find out itself. */
export interface PlannedMount extends Mount {
  /** A bind mount of something that is not a folder. */
  readonly isFile?: boolean;
  /** A folder of the host to bind where the kernel refuses the mount. */
  readonly orBind?: string;
}

/** A new file system and the folder that it hides, for whoever copies the one into the other. */
export interface CopyUp {
  readonly from: Result;
  readonly to: Result;
}

/** Returns what is to be copied up (the option `tmpcopyup`); its fds stay open. */
export function appendMountStage(plan: LaunchPlan, mounts: readonly PlannedMount[]): CopyUp[] {
  const copyUps: CopyUp[] = [];
  for (const mount of mounts) {
    const options = parseMountOptions(mount.options ?? []);
    if (isBind(mount)) appendBind(plan, mount, options);
    else if (options.copyUp) copyUps.push(appendCopyUp(plan, mount, options));
    else if (options.data.some(([, value = '']) => Buffer.byteLength(value) > FSCONFIG_MAX))
      appendLongMount(plan, mount, options);
    else if (mount.orBind !== undefined) appendMountOrBind(plan, mount, mount.orBind, options);
    else if (mount.type === 'cgroup' || mount.type === 'cgroup2') appendCgroup(plan, mount, options);
    else if (mount.type === 'sysfs') appendSysfs(plan, mount, options);
    else appendMount(plan, mount, options);
  }
  return copyUps;
}

function appendCopyUp(plan: LaunchPlan, mount: PlannedMount, options: MountOptions): CopyUp {
  const from = folderInRoot(plan, mount.destination);
  const to = makeMount(plan, mount.type ?? 'tmpfs', mount.source, options, mount.destination);
  moveTo(plan, to, mount.destination);
  return { from, to };
}

/** fsconfig(2) takes no value of more than 255 bytes, as the layers of an overlay may be: mount(2) does. */
function appendLongMount(plan: LaunchPlan, { type = 'none', source, destination }: Mount, options: MountOptions): void {
  const target = folderInRoot(plan, destination);
  plan.call('dup3', [target, FD.mountPoint, O.CLOEXEC], `open ${destination}`);
  const data = options.data.map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).join(',');
  // The low four MS_* flags are those of MOUNT_ATTR.
  const place = `/proc/self/fd/${FD.mountPoint}`;
  plan.call('mount', [source ?? type, place, type, options.set & 0xf, data], `mount ${type} at ${destination}`);
}

function appendMountOrBind(plan: LaunchPlan, mount: Mount, instead: string, options: MountOptions): void {
  const [bound, done] = [new Label(), new Label()];
  const { type = 'none', source, destination } = mount;
  const made = makeMount(plan, type, source, options, destination, bound);
  moveTo(plan, made, destination, properFolderInRoot);
  plan.jump(done);
  plan.place(bound);
  const tree = cloneTree(plan, instead, true);
  moveTo(plan, tree, destination, properFolderInRoot);
  plan.place(done);
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
  const tree = plan.call('fsmount', [context, FSMOUNT_CLOEXEC, options.set], action, on);
  if (options.propagation !== 0) {
    const attr = mountAttr(0, 0, options.propagation);
    plan.call('mount_setattr', [tree, '', AT_EMPTY_PATH, attr, attr.length], action, { ignore: true });
  }
  return tree;
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
  { set, clear, clearBelow, propagation, recursive }: MountOptions,
  action: string,
): void {
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  // What the host forbids stays forbidden in a user namespace (mount_namespaces(7), "locked"), as with mount(8)'s bind.
  const permitted = clear & ~MOUNT_ATTR_ATIME;
  if (permitted !== 0) {
    const attr = mountAttr(0, permitted);
    const depth = AT_EMPTY_PATH | (clearBelow ? AT_RECURSIVE : 0);
    plan.call('mount_setattr', [tree, '', depth, attr, attr.length], action, { ignore: true });
  }
  if (set !== 0 || permitted !== clear) {
    const attr = mountAttr(set, clear & MOUNT_ATTR_ATIME);
    plan.call('mount_setattr', [tree, '', flags, attr, attr.length], action, { ignore: set === 0 });
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
