import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { RuntimeError } from '../runtime-error.ts';

/** The content of a folder goes to the file system that hides it: `tmpcopyup`. Both are fds of the container's process. */
export function copyUp(pid: number, from: number, to: number): void {
  const source = `/proc/${pid}/fd/${from}/.`;
  if (readdirSync(source).length === 0) return;
  const { status, stderr, error } = spawnSync('cp', ['-a', source, `/proc/${pid}/fd/${to}/`], { encoding: 'utf8' });
  if (status !== 0) throw new RuntimeError(`cannot copy up: ${error?.message ?? stderr.trim()}`);
}
