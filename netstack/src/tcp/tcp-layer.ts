/**
 * All TCP connections of a stack: demultiplexing, resets for segments that belong to none (RFC 9293, 3.10.7.1), initial sequence
 * numbers (RFC 6528), and the limits that keep floods within a known amount of memory.
 */
import type { Offloads } from '../link/device.ts';
import type { Drops } from '../stack/counters.ts';
import { FlowTable } from '../stack/flow-table.ts';
import type { IpPacket } from '../stack/packet.ts';
import type { Path } from '../stack/path.ts';
import type { Stack } from '../stack/stack.ts';
import type { TimerQueue } from '../stack/timer-queue.ts';
import type { Frame } from '../link/device.ts';
import { IpAddress } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import { ICMPV6_TYPE, ICMPV6_UNREACHABLE, ICMP_TYPE, ICMP_UNREACHABLE } from '../wire/icmp.ts';
import { IPV4, PROTOCOL, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6, writeIpv6 } from '../wire/ipv6.ts';
import { FLAG, Segment } from '../wire/tcp.ts';
import { Connection } from './connection.ts';
import { segmentArrives } from './segment-arrival.ts';
import { writeBareSegment } from './segment-writer.ts';
import { advance, before, distance } from './sequence.ts';
import type { StreamApplication } from './stream-application.ts';
import { DEFAULT_TCP_LIMITS } from './tcp-limits.ts';
import type { TcpLimits } from './tcp-limits.ts';

const NOBODY: StreamApplication = {
  established: () => undefined,
  receive: () => 0,
  receivedEnd: () => undefined,
  peek: () => 0,
  acknowledged: () => undefined,
  closed: () => undefined,
};

/** The header that an ICMP error quotes, as far as TCP needs it. */
export interface QuotedSegment {
  readonly localAt: number;
  readonly remoteAt: number;
  readonly localPort: number;
  readonly remotePort: number;
  readonly sequence: number;
}

export class TcpLayer {
  readonly limits: TcpLimits;
  readonly timers: TimerQueue;
  readonly drops: Drops;
  readonly counters = { opened: 0, refused: 0, reset: 0, retransmitted: 0 };
  /** Bytes held for applications and out of order, of all connections. */
  memory = 0;
  halfOpen = 0;
  /** A SYN came: set `connection.app`, and then or later call its `accept` or `refuse`. */
  onConnection: (connection: Connection) => void = (connection) => connection.refuse('reset');
  readonly #stack: Stack;
  readonly #offloads: Offloads;
  readonly #flows: FlowTable<Connection>;
  readonly #timeWait = new Set<Connection>();
  readonly #segment = new Segment();
  #listed: Connection[] = [];

  constructor(stack: Stack, limits: Partial<TcpLimits> = {}) {
    this.#stack = stack;
    this.#offloads = stack.device.offloads;
    this.limits = { ...DEFAULT_TCP_LIMITS, ...limits };
    this.timers = stack.timers;
    this.drops = stack.drops;
    this.#flows = new FlowTable(stack.hash);
  }

  /** All connections, those in TIME-WAIT included. */
  get connections(): Iterable<Connection> {
    return this.#flows;
  }

  get output(): Frame {
    return this.#stack.output;
  }

  /** Connections, TIME-WAIT aside. */
  get size(): number {
    return this.#flows.size - this.#timeWait.size;
  }

  get completesChecksums(): boolean {
    return this.#offloads.checksum;
  }

  /** Whether the device cuts segments over this IP version. */
  canJoin(version: IpVersion): boolean {
    return this.#offloads.checksum && (version === 4 ? this.#offloads.tcp4 : this.#offloads.tcp6);
  }

  input(packet: IpPacket): void {
    const { drops } = this;
    const segment = this.#segment;
    if (packet.multicast || !packet.checksumHolds()) {
      drops.badChecksum++;
      return;
    }
    if (!segment.parse(packet.bytes, packet.view, packet.payloadStart, packet.end)) {
      drops.malformed++;
      return;
    }
    const { view, version, sourceAt, destinationAt } = packet;
    const connection = this.#flows.find(
      view,
      version,
      sourceAt,
      segment.sourcePort,
      destinationAt,
      segment.destinationPort,
    );
    if (connection === undefined) this.#stranger(packet, segment);
    else if (connection.state === 'TIME-WAIT' && this.#reopens(connection, segment)) {
      connection.finish('finished');
      this.#stranger(packet, segment);
    } else segmentArrives(connection, segment);
  }

  /**
   * Opens a connection from `local` to a container. Undefined: those ports are in use, a limit is reached, or the address can't
   * be on the link.
   */
  connect(options: {
    local: IpAddress;
    localPort: number;
    remote: IpAddress;
    remotePort: number;
    application: (connection: Connection) => StreamApplication;
  }): Connection | undefined {
    const { local, localPort, remote, remotePort } = options;
    if (this.#flows.has({ local, localPort, remote, remotePort }) || !this.#hasRoom()) return undefined;
    const path = this.#stack.path(local, remote);
    if (!path) return undefined;
    const connection = new Connection(this, path, localPort, remotePort, NOBODY, true);
    connection.app = options.application(connection);
    this.#add(connection);
    connection.open();
    return connection;
  }

  /** Sends the acknowledgements that were put off to the end of the batch. */
  flush(): void {
    if (this.#listed.length === 0) return;
    const listed = this.#listed;
    this.#listed = [];
    for (const connection of listed) {
      connection.listed = false;
      if (connection.receiver.due && connection.state !== 'CLOSED') connection.sendAcknowledgment();
    }
  }

  /** An ICMP error about one of our segments. RFC 5927: only believed when it quotes a sequence number in flight. */
  inputError(view: DataView, version: IpVersion, quoted: QuotedSegment, mtu: number): void {
    const { remoteAt, remotePort, localAt, localPort, sequence } = quoted;
    const connection = this.#flows.find(view, version, remoteAt, remotePort, localAt, localPort);
    if (!connection || before(sequence, connection.sender.una) || !before(sequence, connection.sender.next)) return;
    if (mtu === 0) {
      // RFC 5461: a hard error counts during the handshake only.
      if (connection.state === 'SYN-SENT') connection.finish('unreachable');
    } else if (connection.path.lowerMtu(mtu)) {
      connection.sender.recovery.timedOut();
      connection.sender.pump();
    }
  }

  /** The clock of RFC 7323's timestamps: milliseconds, never 0 for "none". */
  timestamp(): number {
    return (Math.floor(this.timers.now) >>> 0) + 1;
  }

  /** RFC 6528: a clock of 4 us plus a keyed hash of the addresses and ports. */
  initialSequence({ path, localPort, remotePort }: Connection): number {
    const { hash } = this.#stack;
    hash.start();
    for (const word of path.local.words) hash.add(word | 0);
    for (const word of path.remote.words) hash.add(word | 0);
    hash.add((localPort << 16) | remotePort);
    hash.add(0x49534e);
    return (hash.finish() + Math.floor(this.timers.now * 250)) >>> 0;
  }

  // What follows is for connections.

  list(connection: Connection): void {
    connection.listed = true;
    this.#listed.push(connection);
  }

  /** The handshake of a connection is done. */
  settled(): void {
    this.halfOpen--;
  }

  remove(connection: Connection): void {
    if (connection.isHalfOpen) this.halfOpen--;
    this.#timeWait.delete(connection);
    this.#flows.delete(connection);
  }

  enterTimeWait(connection: Connection): void {
    this.#timeWait.add(connection);
    if (this.#timeWait.size <= this.limits.timeWait) return;
    for (const oldest of this.#timeWait) {
      oldest.finish('finished');
      return;
    }
  }

  /** RFC 9293, 3.10.7.1: a reset that the sender of the segment will believe. */
  answerWithReset(path: Path, segment: Segment): void {
    const acknowledges = (segment.flags & FLAG.ACK) !== 0;
    const fields = acknowledges
      ? { sequence: segment.acknowledgment, acknowledgment: 0, flags: FLAG.RST }
      : { sequence: 0, acknowledgment: advance(segment.sequence, segment.length), flags: FLAG.RST | FLAG.ACK };
    writeBareSegment(this.output, path, { localPort: segment.destinationPort, remotePort: segment.sourcePort }, fields);
  }

  /** Says that nobody can be reached at the address a SYN was sent to, or that no way leads there, quoting its header. */
  reportUnreachable(connection: Connection, what: 'unreachable' | 'no-route'): void {
    const { path, localPort, remotePort, receiver } = connection;
    const header = path.version === 4 ? IPV4.size : IPV6.size;
    const quote = new Uint8Array(header + 8);
    const view = new DataView(quote.buffer);
    const ends = { source: path.remote, destination: path.local };
    if (path.version === 4) {
      writeIpv4(quote, view, 0, {
        totalLength: header + 20,
        identification: 0,
        fragment: 0,
        protocol: PROTOCOL.TCP,
        ...ends,
      });
    } else writeIpv6(quote, view, 0, { payloadLength: 20, nextHeader: PROTOCOL.TCP, hopLimit: 64, ...ends });
    view.setUint16(header, remotePort);
    view.setUint16(header + 2, localPort);
    view.setUint32(header + 4, advance(receiver.next, -1));
    const [code4, code6] =
      what === 'no-route'
        ? [ICMP_UNREACHABLE.NETWORK, ICMPV6_UNREACHABLE.NO_ROUTE]
        : [ICMP_UNREACHABLE.HOST, ICMPV6_UNREACHABLE.ADDRESS];
    if (path.version === 4) this.#stack.icmp.send(path, ICMP_TYPE.UNREACHABLE, code4, 0, quote);
    else this.#stack.icmp.send(path, ICMPV6_TYPE.UNREACHABLE, code6, 0, quote);
  }

  /** The container at that address is gone: ends its connections, without a word to it. */
  forget(address: IpAddress): void {
    for (const connection of [...this.#flows]) if (connection.remote.equals(address)) connection.abandon();
  }

  close(): void {
    for (const connection of [...this.#flows]) connection.abort();
    for (const connection of [...this.#timeWait]) connection.finish('finished');
  }

  #hasRoom(): boolean {
    if (this.size < this.limits.connections && this.halfOpen < this.limits.halfOpen) return true;
    this.drops.tcpLimit++;
    return false;
  }

  #add(connection: Connection): void {
    this.#flows.insert(connection);
    this.halfOpen++;
  }

  /** RFC 9293, 3.10.7.4 and RFC 6191: a new SYN may end TIME-WAIT when its number (or timestamp) is beyond the old connection's. */
  #reopens({ receiver, timestamps, recentTimestamp }: Connection, segment: Segment): boolean {
    if ((segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) !== FLAG.SYN) return false;
    if (timestamps && segment.hasTimestamps && distance(segment.timestamp, recentTimestamp) > 0) return true;
    return !before(segment.sequence, receiver.next);
  }

  /** A segment for which there is no connection. */
  #stranger(packet: IpPacket, segment: Segment): void {
    if ((segment.flags & FLAG.RST) !== 0) return;
    const syn = (segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.FIN)) === FLAG.SYN;
    if (syn && !this.#hasRoom()) return;
    const path = this.#stack.path(packet.destination(), packet.source());
    if (!path) return;
    if (!syn) {
      this.answerWithReset(path, segment);
      return;
    }
    const connection = new Connection(this, path, segment.destinationPort, segment.sourcePort, NOBODY, false);
    connection.negotiate(segment);
    this.#add(connection);
    this.onConnection(connection);
  }
}
