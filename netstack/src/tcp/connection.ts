/**
 * One TCP connection: its state, its timers, and what its application may ask of it. The halves are sender.ts and receiver.ts; what an
 * arriving segment does is segment-arrival.ts (RFC 9293, 3.10.7).
 *
 * A passive connection exists from the SYN on, unanswered, until the application accepts or refuses it: the gateway answers only
 * once the host's own connect() did, so a refusal outside is a refusal inside.
 */
import type { Flow } from '../stack/flow-table.ts';
import type { Path } from '../stack/path.ts';
import { Timer } from '../stack/timer-queue.ts';
import type { IpAddress } from '../wire/address.ts';
import { DEFAULT_MSS, DEFAULT_MSS6, FLAG, MAX_WINDOW_SCALE, TCP, TIMESTAMPS_LENGTH } from '../wire/tcp.ts';
import type { Segment, SynOptions } from '../wire/tcp.ts';
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

/** What the one long timer is waiting for. */
type Waiting = 'nothing' | 'acknowledgment' | 'window' | 'time-wait';

export class Connection implements Flow {
  readonly layer: TcpLayer;
  readonly path: Path;
  readonly localPort: number;
  readonly remotePort: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
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
  #heard: number;
  #waiting: Waiting = 'nothing';
  #tries = 0;
  #probes = 0;
  #challenged = -Infinity;
  /** Closed in order, but the application has not taken everything. */
  #lingering = false;
  readonly #timer: Timer;
  readonly #delayed: Timer;
  readonly #keepalive: Timer;

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
    this.state = active ? 'SYN-SENT' : 'LISTEN';
    this.timestamps = layer.limits.timestamps;
    this.sack = layer.limits.sack;
    this.sender = new Sender(this, layer.initialSequence(this));
    this.receiver = new Receiver(this);
    this.#heard = layer.timers.now;
    this.#timer = new Timer(layer.timers, () => this.#expired());
    this.#delayed = new Timer(layer.timers, () => {
      this.receiver.due = true;
      this.acknowledgeLater();
    });
    this.#keepalive = new Timer(layer.timers, () => this.#probe());
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
    this.#await('acknowledgment', this.sender.rtt.timeout);
  }

  /** Passive open, decided: answers the SYN. From here on the application gets calls. */
  accept(): void {
    if (this.state !== 'LISTEN') return;
    this.state = 'SYN-RECEIVED';
    this.sender.next = advance(this.sender.una, 1);
    this.sendSyn();
    this.#await('acknowledgment', this.sender.rtt.timeout);
  }

  /** Passive open, decided: answers the SYN with a reset, or with ICMP "host unreachable". The application gets no call. */
  refuse(how: 'reset' | 'unreachable'): void {
    if (this.state !== 'LISTEN') return;
    if (how === 'reset') writeSegment(this, 0, FLAG.RST | FLAG.ACK, 0);
    else this.layer.reportUnreachable(this);
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
    this.#delayed.cancel();
  }

  /** Puts the connection down for an acknowledgement at the end of the batch. */
  acknowledgeLater(): void {
    if (!this.listed) this.layer.list(this);
  }

  delayAcknowledgement(): void {
    if (!this.#delayed.armed) this.#delayed.set(this.layer.limits.delayedAck);
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
    this.sender.windowSequence = segment.sequence;
    this.sender.windowAcknowledgment = segment.acknowledgment;
    this.sender.window = segment.window;
    this.sender.maxWindow = segment.window;
  }

  establish(): void {
    this.state = 'ESTABLISHED';
    this.#tries = 0;
    this.restartRetransmission();
    this.#keepalive.set(this.layer.limits.keepaliveIdle);
    this.layer.counters.opened++;
    this.layer.settled();
    this.app.established();
  }

  /** Our FIN was put into the stream. */
  sendingEnded(): void {
    this.state = this.state === 'CLOSE-WAIT' ? 'LAST-ACK' : 'FIN-WAIT-1';
  }

  heard(): void {
    this.#heard = this.layer.timers.now;
    this.#probes = 0;
    if (this.#waiting === 'window') this.#tries = 0;
  }

  startRetransmission(): void {
    if (this.#waiting === 'acknowledgment' && this.#timer.armed) return;
    this.#await('acknowledgment', this.sender.rtt.timeout);
  }

  /** New data was acknowledged (RFC 6298, 5.2 and 5.3). */
  restartRetransmission(): void {
    this.#tries = 0;
    if (this.sender.inFlight > 0) this.#await('acknowledgment', this.sender.rtt.timeout);
    else if (this.#waiting === 'acknowledgment') this.#stopWaiting();
  }

  startPersisting(): void {
    if (this.#waiting !== 'window' && this.sender.isBlocked && !this.isClosed())
      this.#await('window', this.sender.rtt.timeout);
  }

  stopPersisting(): void {
    if (this.#waiting === 'window') this.#stopWaiting();
  }

  enterTimeWait(): void {
    const first = this.state !== 'TIME-WAIT';
    this.state = 'TIME-WAIT';
    this.#keepalive.dispose();
    this.#await('time-wait', this.layer.limits.timeWaitTime);
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
    this.#timer.dispose();
    this.#delayed.dispose();
    this.#keepalive.dispose();
  }

  #await(waiting: Waiting, delay: number): void {
    this.#waiting = waiting;
    this.#timer.set(delay);
  }

  #stopWaiting(): void {
    this.#waiting = 'nothing';
    this.#timer.cancel();
  }

  #expired(): void {
    const { sender, layer } = this;
    if (this.#waiting === 'time-wait') {
      this.finish('finished');
      return;
    }
    this.#tries++;
    const handshake = this.isHalfOpen;
    if (this.path.neighbour.unreachable) this.finish('unreachable');
    else if (this.#tries > (handshake ? layer.limits.synRetries : layer.limits.retries)) {
      if (!handshake) writeSegment(this, sender.next, FLAG.RST | FLAG.ACK, 0);
      this.finish('timeout');
    } else {
      sender.rtt.backOff();
      if (handshake) {
        this.sendSyn();
        // Perhaps the container came back with another MAC address.
        if (this.#tries > 1) this.path.neighbour.solicit();
      } else if (this.#waiting === 'window') this.#probeWindow();
      else {
        sender.recovery.timedOut();
        sender.recovery.retransmit();
      }
      if (!this.isClosed()) this.#await(this.#waiting, sender.rtt.timeout);
    }
  }

  /**
   * A zero-window probe (RFC 9293, 3.8.6.1): an old sequence number without data, as Linux sends it, which the peer has to answer
   * with its current window and which asks it for no byte of memory.
   */
  #probeWindow(): void {
    writeSegment(this, advance(this.sender.una, -1), FLAG.ACK, 0);
  }

  /** Keepalive (RFC 9293, 3.8.4). */
  #probe(): void {
    const { limits, timers } = this.layer;
    const idle = timers.now - this.#heard;
    if (this.#probes === 0 && idle < limits.keepaliveIdle) this.#keepalive.set(limits.keepaliveIdle - idle);
    else if (this.#probes >= limits.keepaliveProbes) {
      writeSegment(this, this.sender.next, FLAG.RST | FLAG.ACK, 0);
      this.finish('timeout');
    } else {
      this.#probes++;
      writeSegment(this, advance(this.sender.una, -1), FLAG.ACK, 0);
      this.#keepalive.set(limits.keepaliveInterval);
    }
  }
}

/** The least shift that lets 16 bits announce the window (RFC 7323, 2.3). */
function scaleFor(window: number): number {
  let scale = 0;
  while (scale < MAX_WINDOW_SCALE && 0xffff * 2 ** scale < window) scale++;
  return scale;
}
