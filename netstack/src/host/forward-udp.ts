/**
 * Datagrams of containers to the outside.
 *
 * Each address and port of a container has one unconnected socket of the host for all its destinations, so it keeps one port outside
 * whomever it talks to (endpoint-independent mapping, RFC 4787, REQ-1), and takes datagrams only from addresses that it sent to
 * (address-dependent filtering, REQ-8). ICMP errors about its datagrams come back to it.
 */
import type { IpPacket } from '../stack/packet.ts';
import type { Path } from '../stack/path.ts';
import type { Stack } from '../stack/stack.ts';
import { Timer } from '../stack/timer-queue.ts';
import { IpAddress } from '../wire/address.ts';
import { UDP_MAX_PAYLOAD } from '../wire/udp.ts';
import { receiveError } from '../sys/datagram.ts';
import { ERRNO } from '../sys/errno.ts';
import { errno, libc } from '../sys/libc.ts';
import { SOCKET_OPTION, lastPeer, lastPeerIs, receiveFrom, sendTo, setOption, udpSocket } from '../sys/socket.ts';
import type { Endpoint } from '../sys/socket.ts';
import { EPOLL } from './event-loop.ts';
import type { EventLoop, Watch } from './event-loop.ts';
import type { HostTrouble } from './host-trouble.ts';
import type { Translation } from './translation.ts';
import type { FlowInfo } from './flow-list.ts';
import { reportDatagramError } from './report-datagram-error.ts';

/** RFC 4787, REQ-5: two minutes at least. */
const IDLE_MS = 120_000;
/** Destinations of one flow; the oldest is forgotten, and its answers are filtered then. */
const MAX_PEERS = 1024;
/** Datagrams read from one socket in one round. */
const BATCH = 64;

export interface UdpContext {
  readonly loop: EventLoop;
  readonly stack: Stack;
  readonly translation: Translation;
  readonly trouble: HostTrouble;
  readonly maxFlows: number;
}

/** A destination: under its name inside, and the host's. */
interface Peer {
  readonly outside: Endpoint;
  readonly path: Path;
}

export class UdpForwarder {
  readonly counters = { opened: 0, fromContainers: 0, toContainers: 0 };
  readonly #context: UdpContext;
  /** Container address and port -> flow, in order of opening. */
  readonly #flows = new Map<number | string, UdpFlow>();

  constructor(context: UdpContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** Each flow by its destinations; bytes are those of the flow, at its first. */
  *list(): Generator<FlowInfo> {
    for (const flow of this.#flows.values()) yield* flow.describe();
  }

  /** Takes a datagram whose payload is [start, end) of the packet's buffer. */
  forward(packet: IpPacket, sourcePort: number, destinationPort: number, start: number, end: number): void {
    const key =
      packet.version === 4
        ? packet.view.getUint32(packet.sourceAt) * 0x10000 + sourcePort
        : `${packet.bytes.subarray(packet.sourceAt, packet.sourceAt + 16).join('.')}/${sourcePort}`;
    const flow = this.#flows.get(key) ?? this.#open(key, packet, sourcePort);
    if (!flow) return;
    this.counters.fromContainers++;
    flow.send(packet, destinationPort, start, end);
  }

  /** Closes the flows of a container. */
  forget(address: IpAddress): void {
    for (const flow of [...this.#flows.values()]) if (flow.container.address.equals(address)) flow.close();
  }

  close(): void {
    for (const flow of [...this.#flows.values()]) flow.close();
  }

  #open(key: number | string, packet: IpPacket, sourcePort: number): UdpFlow | undefined {
    const { maxFlows, stack, trouble } = this.#context;
    if (this.#flows.size >= maxFlows) {
      stack.drops.udpLimit++;
      this.#evict();
    }
    const fd = udpSocket(packet.version);
    if (fd < 0) {
      trouble.report('socket', errno(), 'raise the limit of open files');
      return undefined;
    }
    const container = { address: packet.source(), port: sourcePort };
    const flow = new UdpFlow(this.#context, fd, container, this.counters, () => this.#flows.delete(key));
    this.#flows.set(key, flow);
    this.counters.opened++;
    return flow;
  }

  /** Closes the flow that was idle for longest among the oldest. */
  #evict(): void {
    let victim: UdpFlow | undefined;
    let looked = 0;
    for (const flow of this.#flows.values()) {
      if (!victim || flow.usedAt < victim.usedAt) victim = flow;
      if (++looked === 16) break;
    }
    victim?.close();
  }
}

class UdpFlow {
  readonly bytes = { fromContainer: 0, toContainer: 0 };
  usedAt: number;
  readonly container: Endpoint;
  readonly #context: UdpContext;
  readonly #fd: number;
  readonly #counters: { toContainers: number };
  readonly #onClose: () => void;
  readonly #watch: Watch;
  readonly #idle: Timer;
  /** By the host's address and port of the peer. */
  readonly #peers = new Map<string, Peer>();
  #lastSent: { inside: IpAddress; port: number; peer: Peer } | undefined;
  #lastReceived: Peer | undefined;

  constructor(
    context: UdpContext,
    fd: number,
    container: Endpoint,
    counters: { toContainers: number },
    onClose: () => void,
  ) {
    this.#context = context;
    this.#fd = fd;
    this.container = container;
    this.#counters = counters;
    this.#onClose = onClose;
    this.usedAt = context.loop.timers.now;
    setOption(fd, container.address.version === 4 ? SOCKET_OPTION.IP_RECVERR : SOCKET_OPTION.IPV6_RECVERR, 1);
    this.#watch = context.loop.watch(fd, EPOLL.IN, (events) => this.#ready(events));
    this.#idle = context.loop.schedule(IDLE_MS, () => this.#expire());
  }

  send(packet: IpPacket, port: number, start: number, end: number): void {
    this.usedAt = this.#context.loop.timers.now;
    const peer = this.#peerOf(packet, port);
    if (!peer) {
      this.#context.stack.icmp.rejectProhibited(packet);
      return;
    }
    this.bytes.fromContainer += end - start;
    let sent = sendTo(this.#fd, packet.bytes, start, end - start, peer.outside);
    // An error about an earlier datagram is reported by the next call, which then did nothing.
    if (sent < 0 && sent !== -ERRNO.EAGAIN) {
      this.#takeErrors();
      sent = sendTo(this.#fd, packet.bytes, start, end - start, peer.outside);
    }
    if (sent >= 0 || sent === -ERRNO.EAGAIN) return;
    this.#takeErrors();
    if (sent === -ERRNO.ENETUNREACH || sent === -ERRNO.EHOSTUNREACH) this.#context.stack.icmp.rejectHost(packet);
    else if (sent !== -ERRNO.ECONNREFUSED) this.#context.trouble.report('sendto', -sent);
  }

  *describe(): Generator<FlowInfo> {
    let { fromContainer, toContainer } = this.bytes;
    for (const { path, outside } of this.#peers.values()) {
      yield {
        protocol: 'udp',
        container: this.container.address.toString(),
        containerPort: this.container.port,
        peer: path.local.toString(),
        peerPort: outside.port,
        state: '',
        isInward: false,
        fromContainer,
        toContainer,
      };
      fromContainer = toContainer = 0;
    }
  }

  close(): void {
    this.#onClose();
    this.#idle.dispose();
    this.#watch.release();
    libc.close(this.#fd);
  }

  #peerOf(packet: IpPacket, port: number): Peer | undefined {
    const last = this.#lastSent;
    if (last?.port === port && last.inside.isAt(packet.view, packet.destinationAt)) return last.peer;
    const { translation, stack } = this.#context;
    const inside = packet.destination();
    const address = translation.outward(inside, this.container.address, 'udp', port);
    if (!address) return undefined;
    const key = `${address.toString()}/${port}`;
    let peer = this.#peers.get(key);
    if (!peer) {
      const path = stack.path(inside, this.container.address);
      if (!path) return undefined;
      peer = { outside: { address, port }, path };
      this.#peers.set(key, peer);
      if (this.#peers.size > MAX_PEERS) this.#peers.delete(this.#peers.keys().next().value!);
    }
    this.#lastSent = { inside, port, peer };
    return peer;
  }

  #ready(events: number): void {
    if ((events & EPOLL.ERR) !== 0) this.#takeErrors();
    const { stack, loop } = this.#context;
    const { udp, output } = stack;
    const { address, port } = this.container;
    const at = stack.udpPayloadStart(address.version);
    for (let count = 0; count < BATCH; count++) {
      const length = receiveFrom(this.#fd, output.bytes, at, UDP_MAX_PAYLOAD);
      if (length < 0) return;
      const peer = this.#sender();
      if (!peer) continue;
      this.usedAt = loop.timers.now;
      this.#counters.toContainers++;
      this.bytes.toContainer += length;
      udp.sendInPlace(peer.path, peer.outside.port, port, length);
    }
  }

  /** Who sent the datagram read last, if it is one of our peers; another port of a known address will do. */
  #sender(): Peer | undefined {
    if (this.#lastReceived && lastPeerIs(this.#lastReceived.outside)) return this.#lastReceived;
    const from = lastPeer();
    const exact = this.#peers.get(`${from.address.toString()}/${from.port}`);
    if (exact) {
      this.#lastReceived = exact;
      return exact;
    }
    for (const peer of this.#peers.values())
      if (peer.outside.address.equals(from.address)) return { outside: from, path: peer.path };
    return undefined;
  }

  #takeErrors(): void {
    for (let error = receiveError(this.#fd); error !== undefined; error = receiveError(this.#fd)) {
      const peer = this.#peers.get(`${error.to.address.toString()}/${error.to.port}`);
      if (peer) reportDatagramError(this.#context.stack, peer.path, error, this.container.port);
    }
  }

  #expire(): void {
    const idle = this.#context.loop.timers.now - this.usedAt;
    if (idle >= IDLE_MS) this.close();
    else this.#idle.set(IDLE_MS - idle);
  }
}
