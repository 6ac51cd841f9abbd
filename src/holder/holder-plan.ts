import { cpuMask, possibleCpus } from '../base/cpus.ts';
import type { StatePaths } from '../state/paths.ts';
import { AF_NETLINK, AT_FDCWD, CLONE, MS, O, SOCK } from '../sys/linux-constants.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';

/** Fds that the holder keeps open for others to take with pidfd_getfd. */
export const HOLDER_FD = {
  /** /dev/net/tun, opened in the hub namespace: TUNSETIFF makes its device there. Absent where the host has none. */
  tun: 10,
  /** A NETLINK_ROUTE socket of the hub namespace. */
  netlink: 11,
} as const;

/** The folder, private to the holder's mount namespace, below which images are mounted. */
export function mountsFolder(paths: StatePaths): string {
  return `${paths.run}/mounts`;
}

/**
 * The holder: makes the user's user namespace, waits while its ids are mapped from outside, makes mount and hub network
 * namespace inside, and sleeps.
 */
export function holderPlan(paths: StatePaths): LaunchPlan {
  const plan = new LaunchPlan();
  plan.rename('trun-holder');
  plan.call('unshare', [CLONE.NEWUSER], 'create a user namespace');
  plan.pseudo('note', [0], 'report');
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the id map', { nonzero: true });
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  plan.call('unshare', [CLONE.NEWNS | CLONE.NEWNET], 'create mount and network namespaces');

  // Mounts of the host (an automounted home) still arrive, none of ours leaves.
  plan.call('mount', ['none', '/', 0, MS.REC | MS.SLAVE, 0], 'make mounts private');
  const mounts = mountsFolder(paths);
  plan.call('mount', ['tmpfs', mounts, 'tmpfs', MS.NOSUID | MS.NODEV, 'mode=0700,size=1m'], `mount tmpfs at ${mounts}`);

  const tun = plan.call('openat', [AT_FDCWD, '/dev/net/tun', O.RDWR, 0], 'open /dev/net/tun', { ignore: true });
  plan.call('dup3', [tun, HOLDER_FD.tun, 0], 'keep /dev/net/tun', { ignore: true });
  const netlink = plan.call('socket', [AF_NETLINK, SOCK.RAW | SOCK.CLOEXEC, 0], 'open a netlink socket');
  plan.call('dup3', [netlink, HOLDER_FD.netlink, 0], 'keep the netlink socket');

  // veth spreads packets over per-CPU backlogs and so reorders them, unless one CPU is chosen by flow: all may be.
  setNetworkParameter(plan, 'core/rps_default_mask', cpuMask(possibleCpus()));
  // Link-local chatter would be all that ever wakes the network process of idle containers.
  setNetworkParameter(plan, 'ipv6/conf/default/disable_ipv6', '1');

  plan.pseudo('note', [1], 'report');
  // Whoever dies before the holder is on record takes it along.
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait to be on record', { nonzero: true });
  plan.call('close', [STATUS_FD], 'close the status socket');
  plan.call('close', [PLAN_FD], 'close the plan');
  plan.call('ppoll', [0, 0, 0, 0, 0], 'sleep');
  return plan;
}

/** Parameters that a kernel does not have are left alone. */
function setNetworkParameter(plan: LaunchPlan, name: string, value: string): void {
  const path = `/proc/sys/net/${name}`;
  const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${path}`, { ignore: true });
  plan.call('write', [file, value, value.length], `set ${path}`, { ignore: true });
  plan.call('close', [file], `close ${path}`, { ignore: true });
}
