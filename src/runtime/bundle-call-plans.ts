/**
 * `start` and `delete` of a container that needs nothing but system calls for them, as plans that `create` leaves with
 * it: the launcher executes them with the monitor's program, and Node, whose start would be most of their time, is not
 * started at all. Each gives up, with nothing done that cannot be done again, where anything is not as expected: then the
 * command does it, or says why not.
 */
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { RECORD } from '../monitor/plan-layout.ts';
import { AF_UNIX, AT_FDCWD, AT_REMOVEDIR, O, SOCK } from '../sys/linux-constants.ts';
import { FD } from './fds.ts';
import { pollOf, unixAddress } from './structures.ts';

export interface CallPlans {
  /** The container's folder. */
  readonly folder: string;
  readonly startSocket: string;
  /** The file that a record of the container's failure is left in. */
  readonly failure: string;
  /** The file with this very plan: gone once it is done. */
  readonly plan: string;
}

/** Gives the word on the container's socket and waits until its program is executed, which closes the other end. */
export function startPlan({ folder, startSocket, failure, plan: own }: CallPlans): LaunchPlan {
  const plan = new LaunchPlan();
  const [failed, runs] = [new Label(), new Label()];
  plan.call('chdir', [folder], `enter ${folder}`);
  const socket = plan.call('socket', [AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0], 'make a socket');
  const address = unixAddress(startSocket);
  plan.call('connect', [socket, address, address.length], 'reach the container');
  plan.call('write', [socket, 'g', 1], 'give the word');
  const record = plan.room(RECORD.size, 'record');
  plan.call('read', [socket, record, RECORD.size], 'wait for the program', { nonzero: true, otherwise: runs });
  plan.jump(failed);
  plan.place(runs);
  for (const name of [startSocket, own]) {
    plan.call('unlinkat', [AT_FDCWD, name, 0], `remove ${name}`, { ignore: true });
  }
  plan.call('exit_group', [0], 'leave');
  plan.place(failed);
  const file = plan.call('openat', [AT_FDCWD, failure, O.WRONLY | O.CREAT | O.TRUNC, 0o600], `open ${failure}`);
  plan.call('write', [file, record, RECORD.size], `write ${failure}`);
  plan.call('exit_group', [1], 'leave');
  return plan;
}

/** Removes the cgroups and the folder of a container that has ended. */
export function deletePlan(folder: string, pid: number, cgroups: readonly string[]): LaunchPlan {
  const plan = new LaunchPlan();
  const ended = new Label();
  const found = plan.call('pidfd_open', [pid, 0], 'look for the container', { otherwise: ended });
  plan.call('dup3', [found, FD.pidfd, O.CLOEXEC], 'look for the container');
  // A pidfd is readable once its process has ended, whether it has been waited for or not (pidfd_open(2)). One that runs
  // is the container's or another one of its number: it takes more than this to tell.
  plan.call('ppoll', [pollOf(FD.pidfd), 1, Buffer.alloc(16), 0, 8], 'look for the container', { nonzero: true });
  plan.place(ended);
  for (const path of cgroups) plan.call('unlinkat', [AT_FDCWD, path, AT_REMOVEDIR], `remove the cgroup ${path}`);
  const gone = folder.replace(/([^/]*)$/, '.$1.gone');
  plan.call('renameat2', [AT_FDCWD, folder, AT_FDCWD, gone, 0], `remove ${folder}`);
  const opened = plan.call('openat', [AT_FDCWD, gone, O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0], `open ${gone}`);
  plan.pseudo('remove_tree', [opened], `remove ${gone}`);
  plan.call('unlinkat', [AT_FDCWD, gone, AT_REMOVEDIR], `remove ${gone}`);
  plan.call('exit_group', [0], 'leave');
  return plan;
}
