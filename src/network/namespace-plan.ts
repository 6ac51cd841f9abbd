/** What a container does for itself in its new network namespace, as operations of its launch plan. */
import { cpuMask } from '../base/cpus.ts';
import type { Argument, LaunchPlan } from '../monitor/plan.ts';
import { AT_FDCWD, O } from '../sys/linux-constants.ts';
import { routeSocketArguments } from '../sys/netlink.ts';

/**
 * Where a waiting container keeps a NETLINK_ROUTE socket of its namespace, to be taken by pidfd_getfd. It is
 * close-on-exec, so the container's program never sees it.
 */
export const configurationSocketFd = 100;

/** struct ifreq of netdevice(7): name[16], then a union of which SIOCSIFFLAGS reads a short. */
const IFREQ = { size: 40, flags: 16 } as const;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
const AF_INET = 2;
const SOCK_DGRAM = 2;

/** Sets the loopback interface up, which gives it 127.0.0.1 and ::1. */
export function raiseLoopback(plan: LaunchPlan): void {
  const request = Buffer.alloc(IFREQ.size);
  request.write('lo');
  request.writeInt16LE(IFF_UP, IFREQ.flags);
  const socket = plan.call('socket', [AF_INET, SOCK_DGRAM | O.CLOEXEC, 0], 'open a socket');
  plan.call('ioctl', [socket, SIOCSIFFLAGS, request], 'set up the loopback interface');
  plan.call('close', [socket], 'close a socket');
}

/** Opens the socket at `configurationSocketFd`. */
export function openConfigurationSocket(plan: LaunchPlan): void {
  openSocketAt(plan, configurationSocketFd, routeSocketArguments);
}

/** Opens a socket with these arguments of socket(2) at that descriptor, close-on-exec. */
export function openSocketAt(plan: LaunchPlan, fd: number, socketArguments: readonly [number, number, number]): void {
  const socket = plan.call('socket', socketArguments, 'open a socket');
  plan.call('dup3', [socket, fd, O.CLOEXEC], 'keep the socket');
  plan.call('close', [socket], 'close a socket');
}

/** Sets /proc/sys/net/NAME of the namespace. A kernel without it, or with a read-only /proc, goes without. */
export function setNetworkSysctl(plan: LaunchPlan, name: string, value: string): void {
  const path: Argument = `/proc/sys/net/${name}`;
  const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${path}`, { ignore: true });
  plan.call('write', [file, value, value.length], `set ${path}`, { ignore: true });
  plan.call('close', [file], `close ${path}`, { ignore: true });
}

/** What holds for interfaces that the namespace is yet to get. */
export function prepareInterfaces(plan: LaunchPlan, ipv6: boolean): void {
  // Without IPv6, no link-local address that announces itself, as Docker has it too. With it, its addresses are ours to
  // give: none that the kernel makes up from what the gateway announces.
  setNetworkSysctl(plan, 'ipv6/conf/default/disable_ipv6', ipv6 ? '0' : '1');
  setNetworkSysctl(plan, 'ipv6/conf/default/accept_ra', '0');
  setNetworkSysctl(plan, 'ipv6/conf/default/accept_dad', '0');
  // The interface announces itself when it is set up. The bridge may still know its MAC behind the port of a container
  // that has just ended, and would send there the first second's packets.
  setNetworkSysctl(plan, 'ipv4/conf/default/arp_notify', '1');
  setNetworkSysctl(plan, 'ipv6/conf/default/ndisc_notify', '1');
}

/** What Docker gives: everybody in the container may bind low ports and send echo requests. */
export function openUpPortsAndPing(plan: LaunchPlan, groups: number): void {
  setNetworkSysctl(plan, 'ipv4/ip_unprivileged_port_start', '0');
  // Both ends must be mapped (net/ipv4/ping.c), and the highest group of the range is the namespace's last.
  setNetworkSysctl(plan, 'ipv4/ping_group_range', `0 ${groups - 1}`);
}

/**
 * Sets which CPUs may take packets of links yet to be made, to all of them: packets of a flow then stay on one CPU and
 * in order. Without it veth pairs, whose queues are one for each CPU, reorder them.
 */
export function keepFlowsInOrder(plan: LaunchPlan, cpus: number): void {
  setNetworkSysctl(plan, 'core/rps_default_mask', cpuMask(cpus));
}
