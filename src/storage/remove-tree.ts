import type { Holder } from '../holder/holder.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import { AT_FDCWD, AT_REMOVEDIR, O } from '../sys/linux-constants.ts';

/** Removes folders whose files may belong to any id of the user's map: as root of the holder's user namespace. */
export async function removeTrees(holder: Holder, folders: readonly string[]): Promise<void> {
  const plan = new LaunchPlan();
  joinNamespaces(plan, holder.process.pid, 0);
  for (const folder of folders) {
    const next = new Label();
    const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
    const opened = plan.call('openat', [AT_FDCWD, folder, flags, 0], `open ${folder}`, { otherwise: next });
    plan.pseudo('remove_tree', [opened], `remove ${folder}`);
    plan.place(next);
    plan.call('unlinkat', [AT_FDCWD, folder, AT_REMOVEDIR], `remove ${folder}`, { ignore: true });
  }
  await startMonitor(plan).next();
}
