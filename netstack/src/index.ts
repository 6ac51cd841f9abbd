/**
 * A user-space TCP/IP stack and the gateway built on it. See README.md.
 *
 * A process that serves a network:
 *
 *     const loop = new EventLoop();
 *     const tap = attachTap(takeFd(holderPid, 3), 'tap0');
 *     const gateway = new Gateway({ loop, tap, address: '10.88.0.1', prefix: 16, mac: '02:00:0a:58:00:01', mtu: 1500, … });
 *     gateway.publish({ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerAddress: '10.88.0.2', containerPort: 80 });
 *     loop.add(controlSocket, onCommand);
 *     loop.run();
 */
export { EPOLL, EventLoop } from './host/event-loop.ts';
export type { Watch } from './host/event-loop.ts';
export { Gateway } from './host/gateway.ts';
export type {
  GatewayLimits,
  GatewayOptions,
  GatewayStats,
  Member,
  PublishOptions,
  PublishedPort,
  Question,
} from './host/gateway-options.ts';
export { Tap, attachTap } from './link/tap.ts';
export type { TapCounters, TapOptions } from './link/tap.ts';
export { openTun } from './sys/tun.ts';
export { takeFd } from './sys/process-fd.ts';
export { hostResolvers } from './host/resolvers.ts';
