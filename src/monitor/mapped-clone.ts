import { mapText, type IdExtent } from '../base/id-extents.ts';
import { AT_FDCWD, CLONE, O, SIGCHLD } from '../sys/linux-constants.ts';
import { Label, type LaunchPlan, Load32, type Result } from './plan.ts';

/**
 * Clones a process into a user namespace of its own (and whatever else `flags` say) with the ids of `map`, as a child of
 * this process's parent. This process maps the ids and exits; what is appended next, the clone does, as root of the new
 * namespace. `beforeLeaving` appends what this process does once the clone has its ids.
 * @param map from this namespace's ids; absent: the clone stays in this user namespace
 */
export function appendMappedClone(
  plan: LaunchPlan,
  flags: number,
  map: { readonly uid: readonly IdExtent[]; readonly gid: readonly IdExtent[] } | undefined,
  beforeLeaving?: (pid: Result) => void,
  keepGroups = false,
): void {
  const gate = plan.room(8, 'gate');
  plan.call('pipe2', [gate, O.CLOEXEC], 'make a pipe');
  const clone = new Label();
  const pid = plan.fork(
    'clone',
    [flags | (map === undefined ? 0 : CLONE.NEWUSER) | CLONE.PARENT | SIGCHLD, 0, 0, 0, 0],
    clone,
    'create namespaces',
  );
  if (map !== undefined) {
    writeMap(plan, pid, 'uid_map', map.uid);
    writeMap(plan, pid, 'gid_map', map.gid);
  }
  beforeLeaving?.(pid);
  plan.call('write', [new Load32(gate, 4), 'x', 1], 'open the gate');
  plan.call('exit_group', [0], 'leave');

  plan.place(clone);
  // Without its ids the process is nobody yet. If we fail, the gate is closed by our end: end of file.
  plan.call('close', [new Load32(gate, 4)], 'close the gate');
  plan.call('read', [new Load32(gate, 0), plan.room(1, 'byte'), 1], 'wait for the id map', { nonzero: true });
  plan.call('close', [new Load32(gate, 0)], 'close the gate');
  // Where the user is not root inside it stays itself, with every capability: whoever prepares the namespaces from outside
  // by pidfd_getfd(2) has to be of the same user.
  if (map === undefined || isRootInside(map.gid))
    plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  if (map === undefined || isRootInside(map.uid))
    plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  // With a single-id map setgroups(2) is denied for good, and there are no groups to give up (user_namespaces(7)).
  if (!keepGroups) plan.call('setgroups', [0, 0], 'give up groups', { ignore: true });
}

function isRootInside(extents: readonly IdExtent[]): boolean {
  return extents.some(({ inside, outside }) => inside === 0 && outside === 0);
}

/** The whole map in one write(2), from the parent namespace: user_namespaces(7). */
function writeMap(plan: LaunchPlan, pid: Result, name: 'uid_map' | 'gid_map', extents: readonly IdExtent[]): void {
  const path = plan.room(64, `/proc/PID/${name}`);
  const text = mapText(extents);
  plan.pseudo('proc_path', [path, pid, name], `name ${name}`);
  const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${name}`);
  plan.call('write', [file, text, text.length], `map ids by ${name}`);
}
