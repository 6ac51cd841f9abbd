import { nestedMap, type IdExtent } from '../base/id-extents.ts';
import { AT_FDCWD, CLONE, O, SIGCHLD } from '../sys/linux-constants.ts';
import { Label, type LaunchPlan, Load32, type Result } from './plan.ts';

/**
 * Clones a process into a user namespace of its own (and whatever else `flags` say) that has the ids of this one, as a
 * child of this process's parent. This process maps the ids and exits; what is appended next, the clone does, as root of
 * the new namespace. `beforeLeaving` appends what this process does once the clone has its ids.
 */
export function appendMappedClone(
  plan: LaunchPlan,
  flags: number,
  map: { readonly uid: readonly IdExtent[]; readonly gid: readonly IdExtent[] },
  beforeLeaving?: (pid: Result) => void,
): void {
  const gate = plan.room(8, 'gate');
  plan.call('pipe2', [gate, O.CLOEXEC], 'make a pipe');
  const clone = new Label();
  const pid = plan.fork(
    'clone',
    [flags | CLONE.NEWUSER | CLONE.PARENT | SIGCHLD, 0, 0, 0, 0],
    clone,
    'create namespaces',
  );
  writeMap(plan, pid, 'uid_map', map.uid);
  writeMap(plan, pid, 'gid_map', map.gid);
  beforeLeaving?.(pid);
  plan.call('write', [new Load32(gate, 4), 'x', 1], 'open the gate');
  plan.call('exit_group', [0], 'leave');

  plan.place(clone);
  // Without its ids the process is nobody yet. If we fail, the gate is closed by our end: end of file.
  plan.call('close', [new Load32(gate, 4)], 'close the gate');
  plan.call('read', [new Load32(gate, 0), plan.room(1, 'byte'), 1], 'wait for the id map', { nonzero: true });
  plan.call('close', [new Load32(gate, 0)], 'close the gate');
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  // With a single-id map setgroups(2) is denied for good, and there are no groups to give up (user_namespaces(7)).
  plan.call('setgroups', [0, 0], 'give up groups', { ignore: true });
}

/** The whole map in one write(2), from the parent namespace: user_namespaces(7). */
function writeMap(plan: LaunchPlan, pid: Result, name: 'uid_map' | 'gid_map', extents: readonly IdExtent[]): void {
  const path = plan.room(64, `/proc/PID/${name}`);
  const text = nestedMap(extents);
  plan.pseudo('proc_path', [path, pid, name], `name ${name}`);
  const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${name}`);
  plan.call('write', [file, text, text.length], `map ids by ${name}`);
}
