/**
 * /dev as the runtime spec's "default devices" want it. mknod(2) is not for user namespaces, so the host's devices are
 * bound over empty files.
 */
import type { LaunchPlan } from '../monitor/plan.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O,
  OPEN_TREE_CLONE,
} from '../sys/linux-constants.ts';
import { FD } from './fds.ts';
import { fileInRoot, folderInRoot } from './inside-root.ts';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

const LINKS: readonly (readonly [name: string, target: string])[] = [
  ['ptmx', 'pts/ptmx'],
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
];

/** Appends the stage; `extra` are further device paths of the host, each shown under its own path. */
export function appendDeviceStage(plan: LaunchPlan, extra: readonly { source: string; path: string }[] = []): void {
  appendDeviceLinks(plan);
  const devices = [...DEVICES.map((name) => ({ source: `/dev/${name}`, path: `/dev/${name}` })), ...extra];
  for (const { source, path } of devices) bindDevice(plan, source, path);
}

export function appendDeviceLinks(plan: LaunchPlan): void {
  const dev = folderInRoot(plan, '/dev');
  for (const [name, target] of LINKS)
    plan.call('symlinkat', [target, dev, name], `create /dev/${name}`, { ignore: true });
}

/** Shows the host's device `source` at `path` of the container. */
export function bindDevice(plan: LaunchPlan, source: string, path: string): void {
  const tree = plan.call('open_tree', [AT_FDCWD, source, OPEN_TREE_CLONE | O.CLOEXEC], `bind ${source}`);
  const target = fileInRoot(plan, path);
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  plan.call('move_mount', [tree, '', target, '', flags], `bind ${source} at ${path}`);
}

/** Makes the container's terminal /dev/console as well, once it is there (runtime spec, "Default Devices"). */
export function appendConsole(plan: LaunchPlan): void {
  const tree = plan.call('open_tree', [FD.slave, '', OPEN_TREE_CLONE | O.CLOEXEC | AT_EMPTY_PATH], 'bind the terminal');
  const target = fileInRoot(plan, '/dev/console');
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  plan.call('move_mount', [tree, '', target, '', flags], 'bind the terminal at /dev/console');
}
