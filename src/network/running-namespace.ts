/** Reaching into the network namespace of a container that runs, whose own socket for that has gone with its exec. */
import { closeSync } from 'node:fs';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';
import { startMonitor } from '../monitor/start.ts';
import { CLONE } from '../sys/linux-constants.ts';
import { NetlinkSocket, routeSocketArguments } from '../sys/netlink.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { configurationSocketFd, openSocketAt, prepareInterfaces } from './namespace-plan.ts';

/**
 * A netlink socket of the namespace.
 * @param pid of a process in the container
 * @param ipv6 whether interfaces made from now on have IPv6; undefined leaves that alone
 */
export async function openRunningNamespace(pid: number, ipv6?: boolean): Promise<NetlinkSocket> {
  return new NetlinkSocket(
    await openRunningSocket(pid, routeSocketArguments, (plan) => {
      if (ipv6 !== undefined) prepareInterfaces(plan, ipv6);
    }),
  );
}

/**
 * A socket of the namespace: a process joins it, opens the socket, has it taken, and ends.
 * @param socketArguments of socket(2)
 * @param prepare what the process does before
 */
export async function openRunningSocket(
  pid: number,
  socketArguments: readonly [number, number, number],
  prepare: (plan: LaunchPlan) => void = () => undefined,
): Promise<number> {
  const plan = new LaunchPlan();
  joinNamespaces(plan, pid, CLONE.NEWNET);
  prepare(plan);
  openSocketAt(plan, configurationSocketFd, socketArguments);
  plan.pseudo('note', [0], 'report');
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word', { nonzero: true });
  plan.call('close', [PLAN_FD], 'close the plan');
  plan.call('exit_group', [0], 'end');
  const monitor = startMonitor(plan);
  try {
    const isReady = (await monitor.next()) !== undefined;
    if (!isReady || monitor.child.pid === undefined) throw new Error('Cannot join the network of the container');
    const helper = pidfdOpen(monitor.child.pid);
    try {
      return pidfdGetfd(helper, configurationSocketFd);
    } finally {
      closeSync(helper);
    }
  } finally {
    monitor.child.kill('SIGKILL');
    monitor.close();
  }
}
