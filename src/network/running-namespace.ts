/** Reaching into the network namespace of a container that runs, whose own socket for that has gone with its exec. */
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { PLAN_FD, STATUS_FD } from '../monitor/plan-layout.ts';
import { startMonitor } from '../monitor/start.ts';
import { CLONE } from '../sys/linux-constants.ts';
import { takeConfigurationSocket } from './hub.ts';
import { openConfigurationSocket, prepareInterfaces } from './namespace-plan.ts';
import type { NetlinkSocket } from '../sys/netlink.ts';

/**
 * A netlink socket of the namespace. It is opened by a process that joins the namespace and ends right after.
 * @param pid of a process in the container
 * @param ipv6 whether interfaces made from now on have IPv6; undefined leaves that alone
 */
export async function openRunningNamespace(pid: number, ipv6?: boolean): Promise<NetlinkSocket> {
  const plan = new LaunchPlan();
  joinNamespaces(plan, pid, CLONE.NEWNET);
  if (ipv6 !== undefined) prepareInterfaces(plan, ipv6);
  openConfigurationSocket(plan);
  plan.pseudo('note', [0], 'report');
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word', { nonzero: true });
  plan.call('close', [PLAN_FD], 'close the plan');
  plan.call('exit_group', [0], 'end');
  const monitor = startMonitor(plan);
  try {
    const isReady = (await monitor.next()) !== undefined;
    if (!isReady || monitor.child.pid === undefined) throw new Error('Cannot join the network of the container');
    return takeConfigurationSocket(monitor.child.pid);
  } finally {
    monitor.child.kill('SIGKILL');
    monitor.close();
  }
}

/** Names of the interfaces that a running container has. */
export async function listInterfaces(pid: number): Promise<string[]> {
  using socket = await openRunningNamespace(pid);
  return socket.links().map(({ name }) => name);
}
