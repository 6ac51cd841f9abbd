/** What a container must not see or change of /proc and /sys: the spec's masked and read-only paths, and its sysctls. */
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
import type { Linux } from '../oci/runtime-spec.ts';
import { sysctlPath } from '../oci/sysctl.ts';
import { openInRoot } from './inside-root.ts';
import { mountAttr } from './structures.ts';

const MOVE_BY_FD = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

export function appendHideStage(plan: LaunchPlan, linux: Linux): void {
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) setSysctl(plan, name, value);
  for (const path of linux.readonlyPaths ?? []) makeReadonly(plan, path);
  for (const path of linux.maskedPaths ?? []) mask(plan, path);
}

function setSysctl(plan: LaunchPlan, name: string, value: string): void {
  const file = openInRoot(plan, `/proc/sys/${sysctlPath(name)}`, O.WRONLY);
  plan.call('write', [file, value, Buffer.byteLength(value)], `set the kernel parameter ${name}=${value}`);
}

/** A read-only copy of what is there goes over it. */
function makeReadonly(plan: LaunchPlan, path: string): void {
  const absent = new Label();
  const target = openInRoot(plan, path, O.PATH, { otherwise: absent });
  const action = `make ${path} read-only`;
  const tree = plan.call('open_tree', [target, '', AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE | O.CLOEXEC], action);
  const attr = mountAttr(MOUNT_ATTR.RDONLY, 0);
  plan.call('mount_setattr', [tree, '', AT_EMPTY_PATH | AT_RECURSIVE, attr, attr.length], action);
  cover(plan, tree, target, action);
  plan.place(absent);
}

/** /dev/null goes over files, an empty read-only tmpfs over folders. */
function mask(plan: LaunchPlan, path: string): void {
  const [notFolder, absent] = [new Label(), new Label()];
  const action = `hide ${path}`;
  const folder = openInRoot(plan, path, O.PATH | O.DIRECTORY, { otherwise: notFolder });
  const context = plan.call('fsopen', ['tmpfs', 1], action);
  plan.call('fsconfig', [context, FSCONFIG.SET_STRING, 'size', '0', 0], action, { ignore: true });
  plan.call('fsconfig', [context, FSCONFIG.CMD_CREATE, 0, 0, 0], action);
  const empty = plan.call('fsmount', [context, 1, MOUNT_ATTR.RDONLY], action);
  cover(plan, empty, folder, action);
  plan.jump(absent);

  plan.place(notFolder);
  const file = openInRoot(plan, path, O.PATH, { otherwise: absent });
  const nothing = plan.call('open_tree', [AT_FDCWD, '/dev/null', OPEN_TREE_CLONE | O.CLOEXEC], action);
  cover(plan, nothing, file, action);
  plan.place(absent);
}

function cover(plan: LaunchPlan, tree: Result, target: Result, action: string): void {
  plan.call('move_mount', [tree, '', target, '', MOVE_BY_FD], action);
}
