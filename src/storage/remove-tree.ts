import { rmdirSync } from 'node:fs';
import type { Holder } from '../holder/holder.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import { AT_FDCWD, CLONE, O } from '../sys/linux-constants.ts';
import { errorCode } from '../sys/system-error.ts';

/** Removes a folder whose files may belong to any id of the user's map: as root of the holder's user namespace. */
export async function removeTree(holder: Holder, folder: string): Promise<void> {
  const plan = new LaunchPlan();
  const found = plan.call('pidfd_open', [holder.process.pid, 0], 'find the holder process');
  plan.call('setns', [found, CLONE.NEWUSER], "join the holder's user namespace");
  const opened = plan.call(
    'openat',
    [AT_FDCWD, folder, O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0],
    `open ${folder}`,
  );
  plan.pseudo('remove_tree', [opened], `remove ${folder}`);
  try {
    await startMonitor(plan).next();
    rmdirSync(folder);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
