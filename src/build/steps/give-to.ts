import type { Holder } from '../../holder/holder.ts';
import { joinNamespaces } from '../../monitor/join-namespaces.ts';
import { LaunchPlan } from '../../monitor/plan.ts';
import { startMonitor } from '../../monitor/start.ts';
import { AT_FDCWD } from '../../sys/linux-constants.ts';

/** Gives a file of ours to an id of the user's namespace, as its root. */
export async function giveTo(holder: Holder, path: string, uid: number, gid: number, mode: number): Promise<void> {
  const plan = new LaunchPlan();
  joinNamespaces(plan, holder.process.pid, 0);
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  // chown(2) takes setuid and setgid bits away, so the mode comes last.
  plan.call('fchownat', [AT_FDCWD, path, uid, gid, 0], `give ${path} to ${uid}:${gid}`);
  plan.call('fchmodat', [AT_FDCWD, path, mode], `set the mode of ${path}`);
  plan.call('exit_group', [0], 'leave');
  await startMonitor(plan).next();
}
