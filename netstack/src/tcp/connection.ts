/**
 * One TCP connection: its state, its timers, and what its application may ask of it. The halves are sender.ts and receiver.ts; what an
 * arriving segment does is segment-arrival.ts (RFC 9293, 3.10.7).
 *
 * A passive connection exists from the SYN on, unanswered, until the application accepts or refuses it: the gateway answers only
 * once the host's own connect() did, so a refusal outside is a refusal inside.
 */
import type { Flow } from '../stack/flow-table.ts';
import type { Path } from '../stack/path.ts';
import type { IpAddress } from '../wire/address.ts';
import { DEFAULT_MSS, DEFAULT_MSS6, FLAG, MAX_WINDOW_SCALE, TCP, TIMESTAMPS_LENGTH } from '../wire/tcp.ts';
import type { Segment, SynOptions } from '../wire/tcp.ts';
import { ConnectionTimers } from './connection-timers.ts';
import { Receiver } from './receiver.ts';
import { writeSegment } from './segment-writer.ts';
import { Sender } from './sender.ts';
import { advance } from './sequence.ts';
import type { CloseReason, StreamApplication } from './stream-application.ts';
import type { TcpLayer } from './tcp-layer.ts';

/** RFC 9293, 3.3.2. LISTEN: a SYN came and the application has not decided yet. */
export type State =
  | 'LISTEN'
  | 'SYN-SENT'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSE-WAIT'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'TIME-WAIT'
  | 'CLOSED';

export class Connection implements Flow {
  readonly layer: TcpLayer;
  readonly path: Path;
  readonly localPort: number;
  readonly remotePort: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly timers: ConnectionTimers;
  /** We opened it. */
  readonly active: boolean;
  app: StreamApplication;
  state: State;
  /** Agreed in the handshake. */
  timestamps: boolean;
  sack: boolean;
  scaling = true;
  peerMss = DEFAULT_MSS;
  /** TS.Recent (RFC 7323, 4.3). */
  recentTimestamp = 0;
  /** It is in the layer's list of connections to be acknowledged. */
  listed = false;
  #challenged = -Infinity;
  /** Closed in order, but the application has not taken everything. */
  #lingering = false;

  constructor(
    layer: TcpLayer,
    path: Path,
    localPort: number,
    remotePort: number,
    app: StreamApplication,
    active: boolean,
  ) {
    this.layer = layer;
    this.path = path;
    this.localPort = localPort;
    this.remotePort = remotePort;
    this.app = app;
    this.active = active;
    this.state = active ? 'SYN-SENT' : 'LISTEN';
    this.timestamps = layer.limits.timestamps;
    this.sack = layer.limits.sack;
    this.sender = new Sender(this, layer.initialSequence(this));
    this.receiver = new Receiver(this);
    this.timers = new ConnectionTimers(this);
  }

  get local(): IpAddress {
    return this.path.local;
  }

  get remote(): IpAddress {
    return this.path.remote;
  }

  isClosed(): boolean {
    return this.state === 'CLOSED' || this.state === 'TIME-WAIT';
  }

  get isHalfOpen(): boolean {
    return this.state === 'LISTEN' || this.state === 'SYN-SENT' || this.state === 'SYN-RECEIVED';
  }

  /** States in which data and our FIN may go out, again or for the first time. */
  get maySend(): boolean {
    const { state } = this;
    return (
      state === 'ESTABLISHED' ||
      state === 'CLOSE-WAIT' ||
      state === 'FIN-WAIT-1' ||
      state === 'CLOSING' ||
      state === 'LAST-ACK'
    );
  }

  /** Bytes of options in every segment after the handshake. */
  get optionLength(): number {
    return this.timestamps ? TIMESTAMPS_LENGTH : 0;
  }

  /** Where payload stands in the output frame. */
  get payloadStart(): number {
    return this.path.transportStart + TCP.size + this.optionLength;
  }

  get synOptions(): SynOptions {
    return {
      mss: Math.min(0xffff, this.path.transportRoom - TCP.size),
      windowScale: this.scaling ? scaleFor(this.layer.limits.window) : undefined,
      sackPermitted: this.sack,
      timestamps: this.timestamps ? { value: this.layer.timestamp(), echo: this.recentTimestamp } : undefined,
    };
  }

  /** Active open: sends the SYN. */
  open(): void {
    writeSegment(this, this.sender.una, FLAG.SYN, 0);
    this.sender.next = advance(this.sender.una, 1);
    this.timers.startRetransmission();
  }

  /** Passive open, decided: answers the SYN. From here on the application gets calls. */
  accept(): void {
    if (this.state !== 'LISTEN') return;
    this.state = 'SYN-RECEIVED';
    this.sender.next = advance(this.sender.una, 1);
    this.sendSyn();
    this.timers.startRetransmission();
  }

  /**
   * Passive open, decided: answers the SYN with a reset, or with ICMP: "host unreachable", "network unreachable". The application
   * gets no call.
   */
  refuse(how: 'reset' | 'unreachable' | 'no-route'): void {
    if (this.state !== 'LISTEN') return;
    if (how === 'reset') writeSegment(this, 0, FLAG.RST | FLAG.ACK, 0);
    else this.layer.reportUnreachable(this, how);
    this.layer.counters.refused++;
    this.#release();
  }

  /** There is more to {@link StreamApplication.peek} at, or the stream has ended. */
  pump(): void {
    this.sender.pump();
  }

  /** The application can take more of what came. */
  resume(): void {
    const { receiver } = this;
    if (receiver.isDrained() || (this.isClosed() && !this.#lingering)) return;
    receiver.resume();
    if (!receiver.isDrained() || !receiver.isFinished() || (this.isClosed() && !this.#lingering)) return;
    this.app.receivedEnd();
    if (!this.#lingering) return;
    this.#lingering = false;
    this.app.closed('finished');
  }

  /** Bytes received that the application has not taken. */
  get held(): number {
    return this.receiver.held;
  }

  /** Resets the connection. The application gets no further call. */
  abort(): void {
    if (this.#lingering) {
      this.#lingering = false;
      this.receiver.close();
    }
    if (this.isClosed()) return;
    if (this.state === 'LISTEN') {
      this.refuse('reset');
      return;
    }
    if (this.state !== 'SYN-SENT') writeSegment(this, this.sender.next, FLAG.RST | FLAG.ACK, 0);
    this.layer.counters.reset++;
    this.receiver.close();
    this.#release();
  }

  /** The peer is gone. What it sent in full, its FIN included, is still handed on. */
  abandon(): void {
    this.finish(this.receiver.isFinished() ? 'finished' : 'unreachable');
  }

  // What follows is for the other files of this room.

  sendSyn(): void {
    writeSegment(this, this.sender.una, this.state === 'SYN-SENT' ? FLAG.SYN : FLAG.SYN | FLAG.ACK, 0);
  }

  sendAcknowledgment(): void {
    writeSegment(this, this.sender.next, FLAG.ACK, 0);
  }

  /** RFC 5961, 7: at a limited rate, since anybody can provoke them. */
  sendChallenge(): void {
    const { now } = this.layer.timers;
    if (now - this.#challenged < 50) return;
    this.#challenged = now;
    this.sendAcknowledgment();
  }

  acknowledgmentSent(): void {
    this.receiver.acknowledged();
    this.timers.acknowledged();
  }

  /** Puts the connection down for an acknowledgement at the end of the batch. */
  acknowledgeLater(): void {
    if (!this.listed) this.layer.list(this);
  }

  /** What the peer's SYN told. */
  negotiate(segment: Segment): void {
    const { limits } = this.layer;
    this.receiver.start(segment.sequence);
    this.scaling = segment.windowScale >= 0;
    this.sender.scale = Math.max(0, segment.windowScale);
    this.receiver.scale = this.scaling ? scaleFor(limits.window) : 0;
    this.timestamps = limits.timestamps && segment.hasTimestamps;
    if (this.timestamps) this.recentTimestamp = segment.timestamp;
    this.sack = limits.sack && segment.sackPermitted;
    const defaultMss = this.path.version === 4 ? DEFAULT_MSS : DEFAULT_MSS6;
    this.peerMss = segment.mss > 0 ? segment.mss : defaultMss;
    this.sender.setSegmentSize(this.peerMss);
    this.sender.congestion.start(this.sender.mss);
    this.sender.windowSequence = segment.sequence;
    this.sender.windowAcknowledgment = segment.acknowledgment;
    this.sender.window = segment.window;
    this.sender.maxWindow = segment.window;
  }

  establish(): void {
    this.state = 'ESTABLISHED';
    this.timers.restartRetransmission();
    this.timers.startKeepalive();
    this.layer.counters.opened++;
    this.layer.settled();
    this.app.established();
  }

  /** Our FIN was put into the stream. */
  sendingEnded(): void {
    this.state = this.state === 'CLOSE-WAIT' ? 'LAST-ACK' : 'FIN-WAIT-1';
  }

  enterTimeWait(): void {
    const first = this.state !== 'TIME-WAIT';
    this.state = 'TIME-WAIT';
    this.timers.startTimeWait();
    if (!first) return;
    this.layer.enterTimeWait(this);
    this.#closedInOrder();
  }

  /** Ends without a word to the peer; the application is told. */
  finish(reason: CloseReason): void {
    if (this.state === 'CLOSED') return;
    const { state } = this;
    if (reason !== 'finished') this.receiver.close();
    this.#release();
    if (reason === 'reset') this.layer.counters.reset++;
    if (state === 'TIME-WAIT') return;
    if (reason === 'finished') this.#closedInOrder();
    else this.app.closed(reason);
  }

  /** The protocol is done; the application may still have to take what came. */
  #closedInOrder(): void {
    if (this.receiver.isDrained()) this.app.closed('finished');
    else this.#lingering = true;
  }

  #release(): void {
    this.layer.remove(this);
    this.state = 'CLOSED';
    this.timers.dispose();
  }
}

/** The least shift that lets 16 bits announce the window (RFC 7323, 2.3). */
function scaleFor(window: number): number {
  let scale = 0;
  while (scale < MAX_WINDOW_SCALE && 0xffff * 2 ** scale < window) scale++;
  return scale;
}
