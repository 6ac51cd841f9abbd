import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Where this process stands in the cgroup hierarchy. */
export type Hierarchy =
  | {
      version: 2;
      /** Where cgroup2 is mounted. */
      mountPoint: string;
      /** Our cgroup as a directory below it. */
      own: string;
    }
  /** The controllers hang on version 1, or nothing is mounted, or what is mounted does not show our cgroup. */
  | { version: 1 | 0; reason: string };

/** Reads where we are from /proc. */
export function readHierarchy(): Hierarchy {
  return parseHierarchy(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** What the texts of /proc/self/cgroup (cgroups(7)) and /proc/self/mountinfo (proc(5)) say. */
export function parseHierarchy(cgroup: string, mountinfo: string): Hierarchy {
  const lines = cgroup.trimEnd().split('\n');
  if (lines.some((line) => /^\d+:[^:]*\b(?:memory|cpu|pids)\b[^:]*:/.test(line))) {
    return { version: 1, reason: 'this host has its cgroup controllers in version 1' };
  }
  const path = lines.find((line) => line.startsWith('0::'))?.slice(3);
  if (path === undefined) return { version: 0, reason: 'this kernel has no cgroup v2' };
  for (const line of mountinfo.trimEnd().split('\n')) {
    const [before = '', after = ''] = line.split(' - ', 2);
    if (!after.startsWith('cgroup2 ')) continue;
    const [, , , root = '', mountPoint = ''] = before.split(' ').map(unescapeOctal);
    const below = relative(root, path);
    // In a cgroup namespace a cgroup above its root reads as `/..`.
    if (below === '..' || below.startsWith('../') || path.startsWith('/..')) continue;
    return { version: 2, mountPoint, own: join(mountPoint, below) };
  }
  return { version: 0, reason: 'no cgroup v2 file system is mounted that shows our cgroup' };
}

/** proc(5): blanks and backslashes in mountinfo are `\040` and the like. */
function unescapeOctal(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
