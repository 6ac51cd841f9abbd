/**
 * Echo requests of containers to the outside, by unprivileged ping sockets (icmp(7)). Where the host's ping_group_range leaves the
 * user out, they are counted and reported, and never answered in the host's place.
 */
import type { IpPacket } from '../stack/packet.ts';
import type { IpAddress } from '../wire/address.ts';
import type { Path } from '../stack/path.ts';
import type { Stack } from '../stack/stack.ts';
import { Timer } from '../stack/timer-queue.ts';
import { ICMP, ICMPV6_TYPE, ICMP_TYPE } from '../wire/icmp.ts';
import { errno, libc } from '../sys/libc.ts';
import { lastPeer, pingSocket, receiveFrom, sendTo } from '../sys/socket.ts';
import type { Endpoint } from '../sys/socket.ts';
import type { EventLoop, Watch } from './event-loop.ts';
import type { HostTrouble } from './host-trouble.ts';
import type { Translation } from './translation.ts';

const IDLE_MS = 30_000;
const MAX_FLOWS = 256;

interface PingContext {
  readonly loop: EventLoop;
  readonly stack: Stack;
  readonly translation: Translation;
  readonly trouble: HostTrouble;
}

export class PingForwarder {
  readonly counters = { replies: 0, unsupported: 0 };
  readonly #context: PingContext;
  readonly #flows = new Map<string, PingFlow>();

  constructor(context: PingContext) {
    this.#context = context;
  }

  /** Takes an echo request whose payload is [start, end) of the packet's buffer. */
  forward(packet: IpPacket, identifier: number, sequence: number, start: number, end: number): void {
    const { stack, translation, trouble } = this.#context;
    const inside = packet.destination();
    const container = packet.source();
    const outside = translation.outward(inside, container, 'icmp', 0);
    if (!outside) {
      stack.icmp.rejectHost(packet);
      return;
    }
    const key = `${container.toString()}>${inside.toString()}/${identifier}`;
    let flow = this.#flows.get(key);
    if (!flow) {
      const path = stack.path(inside, container);
      if (!path) return;
      const fd = pingSocket(packet.version);
      if (fd < 0) {
        this.counters.unsupported++;
        trouble.report(
          'Cannot forward ping',
          errno(),
          'the host has to include your group in net.ipv4.ping_group_range',
        );
        return;
      }
      if (this.#flows.size >= MAX_FLOWS) this.#flows.values().next().value!.close();
      flow = new PingFlow(this.#context, fd, path, identifier, { address: outside, port: 0 }, this.counters, () =>
        this.#flows.delete(key),
      );
      this.#flows.set(key, flow);
    }
    flow.send(packet.bytes.subarray(start, end), sequence);
  }

  /** Closes the flows of a container. */
  forget(address: IpAddress): void {
    for (const flow of [...this.#flows.values()]) if (flow.path.remote.equals(address)) flow.close();
  }

  close(): void {
    for (const flow of [...this.#flows.values()]) flow.close();
  }
}

class PingFlow {
  readonly #context: PingContext;
  readonly #fd: number;
  readonly path: Path;
  readonly #identifier: number;
  readonly #to: Endpoint;
  readonly #counters: { replies: number };
  readonly #onClose: () => void;
  readonly #watch: Watch;
  readonly #idle: Timer;

  constructor(
    context: PingContext,
    fd: number,
    path: Path,
    identifier: number,
    to: Endpoint,
    counters: { replies: number },
    onClose: () => void,
  ) {
    this.#context = context;
    this.#fd = fd;
    this.path = path;
    this.#identifier = identifier;
    this.#to = to;
    this.#counters = counters;
    this.#onClose = onClose;
    this.#watch = context.loop.add(fd, () => this.#receive());
    this.#idle = context.loop.schedule(IDLE_MS, () => this.close());
  }

  /** The kernel fills in the identifier, which is the socket's port, and the checksum. */
  send(payload: Uint8Array, sequence: number): void {
    const message = new Uint8Array(ICMP.size + payload.length);
    const view = new DataView(message.buffer);
    message[ICMP.type] = this.path.version === 4 ? ICMP_TYPE.ECHO_REQUEST : ICMPV6_TYPE.ECHO_REQUEST;
    view.setUint16(ICMP.sequence, sequence);
    message.set(payload, ICMP.body);
    this.#idle.set(IDLE_MS);
    const sent = sendTo(this.#fd, message, 0, message.length, this.#to);
    if (sent < 0) this.#context.trouble.report('Cannot forward ping', -sent);
  }

  close(): void {
    this.#onClose();
    this.#idle.dispose();
    this.#watch.release();
    libc.close(this.#fd);
  }

  #receive(): void {
    const reply = new Uint8Array(65_536);
    const type = this.path.version === 4 ? ICMP_TYPE.ECHO_REPLY : ICMPV6_TYPE.ECHO_REPLY;
    const length = receiveFrom(this.#fd, reply, 0, reply.length);
    if (length < ICMP.size || reply[ICMP.type] !== type || !lastPeer().address.equals(this.#to.address)) return;
    this.#counters.replies++;
    const sequence = (reply[ICMP.sequence]! << 8) | reply[ICMP.sequence + 1]!;
    this.#context.stack.icmp.sendEchoReply(this.path, this.#identifier, sequence, reply.subarray(ICMP.body, length));
  }
}
