/**
 * A user-space TCP/IP stack and the gateway built on it. See README.md.
 *
 * Two layers can be used by themselves: {@link Gateway}, which joins a TAP to the host's sockets, and {@link Stack}, the stack alone,
 * over any {@link Device}.
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
export type { FlowInfo } from './host/flow-list.ts';
export type {
  GatewayLimits,
  GatewayOptions,
  GatewayStats,
  Member,
  OutwardFlow,
  PublishOptions,
  PublishedPort,
  Question,
} from './host/gateway-options.ts';
export type { DnsPolicy } from './services/dns-server.ts';
export { Tap, attachTap } from './link/tap.ts';
export type { TapCounters, TapOptions } from './link/tap.ts';
export { openTun } from './sys/tun.ts';
export { acceptUnix, listenUnix } from './sys/unix-socket.ts';
export { takeFd } from './sys/process-fd.ts';
export { hostResolvers } from './host/resolvers.ts';
export { Stack } from './stack/stack.ts';
export type { StackOptions } from './stack/stack.ts';
export { Timer, TimerQueue } from './stack/timer-queue.ts';
export { IpAddress, Subnet } from './wire/address.ts';
export { CHECKSUM, Frame, HEADROOM, NO_OFFLOADS, SEGMENTATION } from './link/device.ts';
export type { Device, Offloads } from './link/device.ts';
export { pair } from './link/pair.ts';
export type { PairOptions } from './link/pair.ts';
export { FaultInjector, seededRandom } from './link/fault-injector.ts';
export type { Faults } from './link/fault-injector.ts';
export { Shaper } from './link/shaper.ts';
export type { LineLimits } from './link/shaper.ts';
export { CaptureFile, CapturingDevice } from './link/pcap.ts';
export type { CapturedPacket } from './link/pcap.ts';
export type { Connection } from './tcp/connection.ts';
export { STREAM_END } from './tcp/stream-application.ts';
export type { CloseReason, StreamApplication } from './tcp/stream-application.ts';
export type { TcpLimits } from './tcp/tcp-limits.ts';
