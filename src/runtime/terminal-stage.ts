/** The container's pseudo terminal, from its own devpts: pts(4), ioctl_tty(2). */
import { type LaunchPlan } from '../monitor/plan.ts';
import { MSG_NOSIGNAL, O, TIOC } from '../sys/linux-constants.ts';
import type { Process } from '../oci/runtime-spec.ts';
import { FD } from './fds.ts';
import { openInRoot } from './inside-root.ts';
import { fdMessage, winsize } from './structures.ts';

/**
 * Opens a pair, keeps the slave and sends the master on the socket `to`. It is non-blocking: whoever moves its output must
 * not be made to wait for more; other engines want it as open(2) gives it.
 */
export function appendTerminal(plan: LaunchPlan, process: Process, to: number, { nonblocking = true } = {}): void {
  const master = openInRoot(plan, '/dev/pts/ptmx', O.RDWR | O.NOCTTY | (nonblocking ? O.NONBLOCK : 0));
  plan.call('ioctl', [master, TIOC.SPTLCK, plan.room(4, 'zero')], 'unlock the terminal');
  const slave = plan.call('ioctl', [master, TIOC.GPTPEER, O.RDWR | O.NOCTTY | O.CLOEXEC], 'open the terminal');
  plan.call('dup3', [slave, FD.slave, O.CLOEXEC], 'move the terminal');
  const { height, width } = process.consoleSize ?? { height: 0, width: 0 };
  if (height > 0 && width > 0)
    plan.call('ioctl', [master, TIOC.SWINSZ, winsize(height, width)], "set the terminal's size");
  plan.call('fchownat', [FD.slave, '', process.user.uid, -1, 0x1000], 'give the terminal to the user', {
    ignore: true,
  });

  plan.call('dup3', [master, FD.master, O.CLOEXEC], 'move the terminal');
  plan.call('sendmsg', [to, fdMessage(FD.master).header, MSG_NOSIGNAL], 'hand the terminal over');
  plan.call('close', [FD.master], 'close the terminal');
  plan.call('close', [master], 'close the terminal');
}

/** Makes the slave the controlling terminal and stdio. */
export function appendTerminalStdio(plan: LaunchPlan): void {
  plan.call('ioctl', [FD.slave, TIOC.SCTTY, 0], 'set the controlling terminal');
  for (const fd of [0, 1, 2]) plan.call('dup3', [FD.slave, fd, 0], 'set stdin, stdout and stderr');
}
