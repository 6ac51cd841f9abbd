import { statSync } from 'node:fs';
import type { Linux, NamespaceType } from '../../oci/runtime-spec.ts';
import type { NamespacePlan } from '../../runtime/bundle-launch.ts';
import { CLONE } from '../../sys/linux-constants.ts';
import { RuntimeError } from '../runtime-error.ts';

const FLAGS: Readonly<Record<NamespaceType, number>> = {
  user: CLONE.NEWUSER,
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  mount: CLONE.NEWNS,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
};

const PROC_NAMES: Readonly<Record<NamespaceType, string>> = {
  user: 'user',
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  time: 'time',
};

/** What the spec's namespaces come to, and the flags of all that are not the caller's own. */
export function namespacePlan({ namespaces = [], timeOffsets }: Linux): NamespacePlan & { readonly all: number } {
  let create = 0;
  const join: { flag: number; path: string }[] = [];
  for (const { type, path } of namespaces) {
    const flag = FLAGS[type];
    if (path === undefined || path === '') create |= flag;
    else if (!isOurOwn(type, path)) join.push({ flag, path });
  }
  // Ascending order is not the one: the user namespace decides what may be joined (bundle-plan.ts).
  join.sort((a, b) => Number(b.flag === CLONE.NEWUSER) - Number(a.flag === CLONE.NEWUSER));
  const all = join.reduce((flags, { flag }) => flags | flag, create);
  return { create, join, all, ...(create & CLONE.NEWTIME ? { timeOffsets: offsetsText(timeOffsets) } : {}) };
}

/** setns(2) refuses the user and mount namespaces that one is in already. */
function isOurOwn(type: NamespaceType, path: string): boolean {
  try {
    const [theirs, ours] = [statSync(path), statSync(`/proc/self/ns/${PROC_NAMES[type]}`)];
    return theirs.ino === ours.ino && theirs.dev === ours.dev;
  } catch (error) {
    throw new RuntimeError(`cannot join the ${type} namespace ${path}: ${(error as Error).message}`);
  }
}

/** time_namespaces(7): lines of clock, seconds, nanoseconds. */
function offsetsText(offsets: Linux['timeOffsets'] = {}): string {
  return Object.entries(offsets)
    .map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`)
    .join('');
}
