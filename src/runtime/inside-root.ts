/**
 * Reaching places of the new root file system. Its content is hostile: every path is resolved by the kernel with the root
 * as a wall (openat2(2) RESOLVE_IN_ROOT), and what is opened is used by its fd, never by its path again
 * (CVE-2021-30465 was a path resolved twice).
 */
import type { LaunchPlan, Options, Result } from '../monitor/plan.ts';
import { O, RESOLVE, S_IF } from '../sys/linux-constants.ts';
import { openHow } from '../sys/openat2.ts';
import { FD } from './fds.ts';

/** Opens a path of the container; `flags` as open(2)'s. */
export function openInRoot(plan: LaunchPlan, path: string, flags: number, options: Options = {}): Result {
  const how = openHow(flags | O.CLOEXEC, RESOLVE.IN_ROOT);
  return plan.call('openat2', [FD.root, relative(path), how, how.length], `open ${path} in the container`, options);
}

/** Makes a folder and those above it where they are missing; returns an O_PATH fd. */
export function folderInRoot(plan: LaunchPlan, path: string): Result {
  makeFolder(plan, path);
  return openInRoot(plan, path, O.PATH | O.DIRECTORY);
}

/**
 * The same for the place of a kernel file system, which no link may lead to: what is masked below it later would be
 * masked somewhere else (CVE-2019-19921).
 */
export function properFolderInRoot(plan: LaunchPlan, path: string): Result {
  makeFolder(plan, path);
  const how = openHow(O.PATH | O.DIRECTORY | O.CLOEXEC, RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS);
  return plan.call(
    'openat2',
    [FD.root, relative(path), how, how.length],
    `open ${path} in the container (is it a link?)`,
  );
}

function makeFolder(plan: LaunchPlan, path: string): void {
  const above = makeParents(plan, path);
  const name = lastName(path);
  if (name !== undefined) plan.call('mkdirat', [above, name, 0o755], `create ${path}`, { ignore: true });
}

/** Makes an empty file where there is nothing; returns an O_PATH fd of what is there. */
export function fileInRoot(plan: LaunchPlan, path: string): Result {
  const above = makeParents(plan, path);
  const name = lastName(path);
  if (name !== undefined) plan.call('mknodat', [above, name, S_IF.REG | 0o755, 0], `create ${path}`, { ignore: true });
  return openInRoot(plan, path, O.PATH);
}

/** Where to make something new: an O_PATH fd of the folder, which is made where it is missing, and the name in it. */
export function nameInRoot(plan: LaunchPlan, path: string): { folder: Result | typeof FD.root; name: string } {
  const name = lastName(path);
  if (name === undefined) throw new TypeError(`${path} has no name`);
  return { folder: makeParents(plan, path), name };
}

function makeParents(plan: LaunchPlan, path: string): Result | typeof FD.root {
  const names = path.split('/').filter((name) => name !== '');
  let above: Result | typeof FD.root = FD.root;
  for (let depth = 0; depth < names.length - 1; depth++) {
    plan.call('mkdirat', [above, names[depth]!, 0o755], `create ${path}`, { ignore: true });
    above = openInRoot(plan, names.slice(0, depth + 1).join('/'), O.PATH | O.DIRECTORY);
  }
  return above;
}

function lastName(path: string): string | undefined {
  return path
    .split('/')
    .filter((name) => name !== '')
    .at(-1);
}

/** RESOLVE_IN_ROOT takes "/x" and "x" alike; "." is the root itself. */
function relative(path: string): string {
  return path.replace(/^\/+/, '') || '.';
}
