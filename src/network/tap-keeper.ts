/**
 * A sleeping process in the hub that keeps one /dev/net/tun descriptor open, so that its TAP outlives the network process
 * that serves it. The network process takes the descriptor by pidfd_getfd: the keeper lives in a user namespace that the
 * user owns, which gives access whatever Yama says.
 */
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';
import { startMonitor } from '../monitor/start.ts';
import { AT_FDCWD, CLONE, O } from '../sys/linux-constants.ts';
import { isAlive, processIdentity, type ProcessIdentity } from '../sys/process-identity.ts';

/** The keeper's descriptor. */
export const keeperTunFd = 10;

/** Where the keeper has a pidfd of the holder: it ends with the hub. */
const holderFd = 11;

/** struct pollfd, poll(2): fd, events, revents. */
const POLLFD = { size: 8, fd: 0, events: 4 } as const;
const POLLIN = 1;

/** Starts a keeper in the network namespace of the holder. */
export async function startTapKeeper(holderPid: number): Promise<ProcessIdentity> {
  const monitor = startMonitor(tapKeeperPlan(holderPid));
  try {
    const isReady = (await monitor.next()) !== undefined;
    const keeper = monitor.child.pid === undefined ? undefined : processIdentity(monitor.child.pid);
    if (!isReady || keeper === undefined) throw new Error('Cannot keep a TAP open: the keeper process has ended');
    return keeper;
  } finally {
    monitor.close();
  }
}

/** Ends a keeper, and with it the TAP. */
export function endTapKeeper(keeper: ProcessIdentity): void {
  if (isAlive(keeper)) process.kill(keeper.pid, 'SIGKILL');
}

function tapKeeperPlan(holderPid: number): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-tap-keeper');
  const holder = plan.call('pidfd_open', [holderPid, 0], 'find the holder');
  plan.call('dup3', [holder, holderFd, O.CLOEXEC], 'keep an eye on the holder');
  plan.call('close', [holder], 'close the pidfd');
  joinNamespaces(plan, holderPid, CLONE.NEWNET);
  const tun = plan.call('openat', [AT_FDCWD, '/dev/net/tun', O.RDWR | O.CLOEXEC, 0], 'open /dev/net/tun');
  plan.call('dup3', [tun, keeperTunFd, O.CLOEXEC], 'keep /dev/net/tun');
  plan.call('close', [tun], 'close /dev/net/tun');
  plan.pseudo('note', [0], 'report');
  plan.call('close', [STATUS_FD], 'close the status socket');
  plan.call('close', [PLAN_FD], 'close the plan');
  const watched = Buffer.alloc(POLLFD.size);
  watched.writeInt32LE(holderFd, POLLFD.fd);
  watched.writeInt16LE(POLLIN, POLLFD.events);
  plan.call('ppoll', [watched, 1, 0, 0, 0], 'sleep while the holder lives');
  plan.call('exit_group', [0], 'end');
  return plan;
}
