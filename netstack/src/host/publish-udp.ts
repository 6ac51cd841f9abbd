/**
 * A published UDP port. Each peer becomes a flow: the container sees the peer's address and port (or the gateway's address and a port
 * for that peer), and what it answers leaves from the very address that the peer had sent to.
 */
import { Timer } from '../stack/timer-queue.ts';
import type { Flow } from '../stack/flow-table.ts';
import type { IpPacket } from '../stack/packet.ts';
import type { Path } from '../stack/path.ts';
import type { IpAddress } from '../wire/address.ts';
import { UDP_MAX_PAYLOAD } from '../wire/udp.ts';
import { receiveDatagram, sendDatagram } from '../sys/datagram.ts';
import { check, libc } from '../sys/libc.ts';
import { SOCKET_OPTION, bindSocket, localEndpoint, setOption, udpSocket } from '../sys/socket.ts';
import type { Endpoint } from '../sys/socket.ts';
import type { Watch } from './event-loop.ts';
import type { PublishContext } from './publish-tcp.ts';
import type { FlowInfo } from './flow-list.ts';
import { FlowTable } from '../stack/flow-table.ts';

const IDLE_MS = 120_000;
const BATCH = 64;
const DYNAMIC = { first: 49_152, last: 65_535 } as const;
const DYNAMIC_PORTS: number = DYNAMIC.last - DYNAMIC.first;

/** The flows of all published UDP ports, looked up before a container's datagram is taken for a new one to the outside. */
export class PublishedFlows {
  readonly #table: FlowTable<PublishedFlow>;
  readonly #limit: number;
  readonly #order = new Set<PublishedFlow>();
  #dynamic: number = DYNAMIC.first;

  constructor(context: PublishContext, limit: number) {
    this.#table = new FlowTable(context.stack.hash);
    this.#limit = limit;
  }

  get size(): number {
    return this.#order.size;
  }

  *list(): Generator<FlowInfo> {
    for (const { local, localPort, remote, remotePort, bytes } of this.#order) {
      yield {
        protocol: 'udp',
        container: remote.toString(),
        containerPort: remotePort,
        peer: local.toString(),
        peerPort: localPort,
        state: '',
        isInward: true,
        ...bytes,
      };
    }
  }

  /** Sends a datagram of a container to its peer, if it answers one; returns whether it did. */
  answer(packet: IpPacket, sourcePort: number, destinationPort: number, start: number, end: number): boolean {
    const { view, version, sourceAt, destinationAt } = packet;
    const flow = this.#table.find(view, version, sourceAt, sourcePort, destinationAt, destinationPort);
    flow?.answer(packet.bytes, start, end - start);
    return flow !== undefined;
  }

  has(flow: Flow): boolean {
    return this.#table.has(flow);
  }

  /** A port for a peer that appears as the gateway, free towards this port of the container. */
  dynamicPort(local: IpAddress, remote: IpAddress, remotePort: number): number {
    for (let attempts = 0; attempts < DYNAMIC_PORTS; attempts++) {
      this.#dynamic = this.#dynamic >= DYNAMIC.last ? DYNAMIC.first : this.#dynamic + 1;
      if (!this.has({ local, localPort: this.#dynamic, remote, remotePort })) break;
    }
    return this.#dynamic;
  }

  insert(flow: PublishedFlow): void {
    if (this.#order.size >= this.#limit) this.#order.values().next().value!.close();
    this.#order.add(flow);
    this.#table.insert(flow);
  }

  /** Closes the flows of a container. */
  forget(address: IpAddress): void {
    for (const flow of [...this.#order]) if (flow.remote.equals(address)) flow.close();
  }

  delete(flow: PublishedFlow): void {
    this.#order.delete(flow);
    this.#table.delete(flow);
  }
}

export class UdpPublisher {
  readonly bound: Endpoint;
  readonly #context: PublishContext;
  readonly #flows: PublishedFlows;
  readonly #fd: number;
  readonly #container: Endpoint;
  readonly #counters: { toContainers: number };
  readonly #byPeer = new Map<string, PublishedFlow>();
  #watch: Watch | undefined;

  constructor(
    context: PublishContext,
    flows: PublishedFlows,
    host: Endpoint,
    container: Endpoint,
    counters: { toContainers: number },
  ) {
    this.#context = context;
    this.#flows = flows;
    this.#container = container;
    this.#counters = counters;
    const fd = check(udpSocket(host.address.version), 'socket', 'Cannot make a socket to listen on');
    this.#fd = fd;
    try {
      if (host.address.version === 6) {
        setOption(fd, SOCKET_OPTION.IPV6_V6ONLY, 1);
        setOption(fd, SOCKET_OPTION.IPV6_RECVPKTINFO, 1);
      } else setOption(fd, SOCKET_OPTION.IP_PKTINFO, 1);
      bindSocket(fd, host);
      this.bound = localEndpoint(fd);
      this.#watch = context.loop.add(fd, () => this.#receive());
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  close(): void {
    if (!this.#watch) return;
    this.#watch.close();
    this.#watch = undefined;
    for (const flow of [...this.#byPeer.values()]) flow.close();
    libc.close(this.#fd);
  }

  #receive(): void {
    const { stack, loop } = this.#context;
    const at = stack.udpPayloadStart(this.#container.address.version);
    for (let count = 0; count < BATCH && this.#watch; count++) {
      const datagram = receiveDatagram(this.#fd, stack.output.bytes, at, UDP_MAX_PAYLOAD);
      if (!datagram) return;
      const key = `${datagram.from.address.toString()}/${datagram.from.port}`;
      const flow = this.#byPeer.get(key) ?? this.#open(key, datagram.from);
      if (!flow) continue;
      flow.repliesFrom = datagram.to;
      flow.usedAt = loop.timers.now;
      this.#counters.toContainers++;
      flow.bytes.toContainer += datagram.length;
      stack.udp.sendInPlace(flow.path, flow.localPort, flow.remotePort, datagram.length);
    }
  }

  #open(key: string, peer: Endpoint): PublishedFlow | undefined {
    const { stack, translation } = this.#context;
    const { address: remote, port: remotePort } = this.#container;
    const local = translation.inward(peer.address, remote.version);
    const path = stack.path(local, remote);
    const own = local.equals(peer.address) ? peer.port : this.#flows.dynamicPort(local, remote, remotePort);
    if (!path || this.#flows.has({ local, localPort: own, remote, remotePort })) return undefined;
    const flow = new PublishedFlow(this.#context, this.#fd, path, own, remotePort, peer, () => {
      this.#byPeer.delete(key);
      this.#flows.delete(flow);
    });
    this.#byPeer.set(key, flow);
    this.#flows.insert(flow);
    return flow;
  }
}

class PublishedFlow implements Flow {
  readonly bytes = { fromContainer: 0, toContainer: 0 };
  readonly path: Path;
  readonly localPort: number;
  readonly remotePort: number;
  usedAt: number;
  /** The host's address that the peer sent to last. */
  repliesFrom: IpAddress | undefined;
  readonly #context: PublishContext;
  readonly #fd: number;
  readonly #peer: Endpoint;
  readonly #onClose: () => void;
  readonly #idle: Timer;

  constructor(
    context: PublishContext,
    fd: number,
    path: Path,
    localPort: number,
    remotePort: number,
    peer: Endpoint,
    onClose: () => void,
  ) {
    this.#context = context;
    this.#fd = fd;
    this.path = path;
    this.localPort = localPort;
    this.remotePort = remotePort;
    this.#peer = peer;
    this.#onClose = onClose;
    this.usedAt = context.loop.timers.now;
    this.#idle = context.loop.schedule(IDLE_MS, () => this.#expire());
  }

  get local(): IpAddress {
    return this.path.local;
  }

  get remote(): IpAddress {
    return this.path.remote;
  }

  answer(bytes: Uint8Array, start: number, length: number): void {
    this.usedAt = this.#context.loop.timers.now;
    this.bytes.fromContainer += length;
    sendDatagram(this.#fd, bytes, start, length, this.#peer, this.repliesFrom);
  }

  close(): void {
    this.#idle.dispose();
    this.#onClose();
  }

  #expire(): void {
    const idle = this.#context.loop.timers.now - this.usedAt;
    if (idle >= IDLE_MS) this.close();
    else this.#idle.set(IDLE_MS - idle);
  }
}
