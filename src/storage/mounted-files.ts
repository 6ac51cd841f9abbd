import { closeSync, createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Holder } from '../holder/holder.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { Label, LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import { AT_FDCWD, CLONE, O, RESOLVE } from '../sys/linux-constants.ts';
import { openHow } from '../sys/openat2.ts';
import { makePipe } from '../sys/pipe.ts';

/**
 * The text of a regular file below a mount of the holder's mount namespace, at most `limit` bytes of it; empty where
 * there is none. Only processes of the holder's user namespace may look into a FUSE mount made there, so one does.
 */
export async function readMountedText(
  holder: Holder,
  mountPoint: string,
  path: string,
  limit: number,
): Promise<string> {
  const plan = new LaunchPlan();
  const none = new Label();
  joinNamespaces(plan, holder.process.pid, CLONE.NEWNS);
  const root = plan.call('openat', [AT_FDCWD, mountPoint, O.PATH | O.DIRECTORY, 0], `open ${mountPoint}`);
  const how = openHow(O.RDONLY | O.NONBLOCK | O.NOCTTY, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS);
  const file = plan.call('openat2', [root, path.replace(/^\/+/, ''), how, how.length], `open ${path}`, {
    otherwise: none,
  });
  plan.call('sendfile', [1, file, 0, limit], `read ${path}`, { ignore: true });
  plan.place(none);
  plan.call('exit_group', [0], 'leave');

  const [read, write] = makePipe();
  const monitor = startMonitor(plan, ['ignore', write, 'ignore']);
  closeSync(write);
  const [content] = await Promise.all([text(createReadStream('', { fd: read })), monitor.next()]);
  return content;
}
