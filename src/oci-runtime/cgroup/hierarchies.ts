/** Where cgroups are on this host, for the versions and mixtures that engines meet: cgroups(7). */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** One mounted hierarchy of version 1. */
export interface V1Hierarchy {
  /** As `cpu` or `name=systemd`. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** The caller's own cgroup as a folder. */
  readonly own: string;
}

export type Hierarchies =
  | { readonly version: 2; readonly mountPoint: string; readonly own: string }
  | { readonly version: 1; readonly hierarchies: readonly V1Hierarchy[] }
  | { readonly version: 0 };

export function readHierarchies(): Hierarchies {
  return parseHierarchies(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** From the texts of /proc/self/cgroup and /proc/self/mountinfo (proc(5)). */
export function parseHierarchies(cgroup: string, mountinfo: string): Hierarchies {
  const own = new Map<string, string>();
  for (const line of cgroup.trimEnd().split('\n')) {
    const [id = '', controllers = ''] = line.split(':');
    own.set(id === '0' ? '' : controllers, line.slice(id.length + controllers.length + 2));
  }
  const mounts = mountinfo.trimEnd().split('\n').map(parseMount);
  const hierarchies = mounts.flatMap(({ type, root, mountPoint, options }) => {
    if (type !== 'cgroup') return [];
    const found = [...own].find(([names]) => names !== '' && names.split(',').every((name) => options.includes(name)));
    if (found === undefined) return [];
    return [{ controllers: found[0].split(','), mountPoint, own: below(mountPoint, root, found[1]) }];
  });
  const unified = mounts.find(({ type }) => type === 'cgroup2');
  // In a hybrid host the second version has no controllers: those of version 1 count.
  if (hierarchies.length > 0) {
    const first = hierarchies.filter(
      ({ controllers }, i) => hierarchies.findIndex((other) => other.controllers[0] === controllers[0]) === i,
    );
    return { version: 1, hierarchies: first };
  }
  if (unified === undefined) return { version: 0 };
  const path = own.get('') ?? '/';
  return { version: 2, mountPoint: unified.mountPoint, own: below(unified.mountPoint, unified.root, path) };
}

/** The folder of the cgroup `path` where the cgroup `root` is mounted; one out of sight is the mount point itself. */
function below(mountPoint: string, root: string, path: string): string {
  const name = relative(root, path);
  return name.startsWith('..') || path.startsWith('/..') ? mountPoint : join(mountPoint, name);
}

function parseMount(line: string): { type: string; root: string; mountPoint: string; options: readonly string[] } {
  const [before = '', after = ''] = line.split(' - ', 2);
  const [, , , root = '', mountPoint = ''] = before.split(' ').map(unescapeOctal);
  const [type = '', , options = ''] = after.split(' ');
  return { type, root, mountPoint, options: options.split(',') };
}

/** proc(5): blanks and backslashes in mountinfo are `\040` and the like. */
function unescapeOctal(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
