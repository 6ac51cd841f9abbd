/**
 * The sending half of a connection: SND.UNA, SND.NXT, the peer's window, and the pump that turns the application's bytes into
 * segments.
 *
 * The bytes in flight are not kept here: the application is peeked at again for a retransmission. Where the device segments, a frame
 * carries up to 64 KiB whatever the MSS is. There is no Nagle delay: the gateway's applications are streams whose writers
 * have decided already when to send.
 */
import type { Segment } from '../wire/tcp.ts';
import { FLAG } from '../wire/tcp.ts';
import { Congestion } from './congestion.ts';
import type { Connection } from './connection.ts';
import { LossRecovery } from './loss-recovery.ts';
import { RttEstimator } from './rtt-estimator.ts';
import { writeSegment } from './segment-writer.ts';
import { advance, before, distance } from './sequence.ts';
import { STREAM_END } from './stream-application.ts';

/** IP length is 16 bits; whole segments below it. */
const MAX_JOINED = 65_535 - 80;

export class Sender {
  /** SND.UNA and SND.NXT. A lost segment is sent again without moving SND.NXT back. */
  una: number;
  /** Bytes of payload that the peer has. */
  acknowledgedBytes = 0;
  next: number;
  /** SND.WND in bytes, the largest seen, and the segment that it came from (SND.WL1, SND.WL2). */
  window = 0;
  maxWindow = 0;
  windowSequence = 0;
  windowAcknowledgment = 0;
  /** Shift of the windows that the peer announces. */
  scale = 0;
  /** Payload bytes of one segment on the wire. */
  mss = 536;
  /** Payload bytes of one frame: several segments, where the device cuts them. */
  joined = 536;
  readonly rtt = new RttEstimator();
  readonly congestion = new Congestion();
  readonly recovery: LossRecovery;
  /** The path's MTU that the segment size was made for; other connections may learn of a lower one. */
  #mtu = 0;
  /** Sequence number of our FIN, once the application's stream has ended. */
  fin: number | undefined;
  readonly #connection: Connection;
  /** Without timestamps: end of the segment that is being timed, and when it was sent (Karn: never one sent again). */
  #timedEnd: number | undefined;
  #timedAt = 0;

  constructor(connection: Connection, initialSequence: number) {
    this.#connection = connection;
    this.una = initialSequence;
    this.next = initialSequence;
    this.recovery = new LossRecovery(this);
  }

  get inFlight(): number {
    return distance(this.next, this.una);
  }

  /** Whether everything up to and with our FIN was acknowledged. */
  get finAcknowledged(): boolean {
    return this.fin !== undefined && before(this.fin, this.una);
  }

  /** Sets the segment size from the peer's MSS option and the path (RFC 9293, 3.7.1; options count, 3.7.1 and RFC 6691). */
  setSegmentSize(peerMss: number): void {
    const { path, optionLength, layer } = this.#connection;
    this.#mtu = path.mtu;
    this.mss = Math.max(64, Math.min(peerMss, path.transportRoom - 20) - optionLength);
    this.joined = layer.canJoin(path.version) ? Math.floor(MAX_JOINED / this.mss) * this.mss || this.mss : this.mss;
    this.congestion.mss = this.mss;
  }

  /** The window in the peer's segment, when that is no older than the last one taken (RFC 9293, 3.10.7.4, fifth step). */
  updateWindow(segment: Segment): void {
    const { sequence, acknowledgment } = segment;
    const newer =
      before(this.windowSequence, sequence) ||
      (this.windowSequence === sequence && !before(acknowledgment, this.windowAcknowledgment));
    if (!newer) return;
    this.window = (segment.flags & FLAG.SYN) !== 0 ? segment.window : segment.window * 2 ** this.scale;
    this.maxWindow = Math.max(this.maxWindow, this.window);
    this.windowSequence = sequence;
    this.windowAcknowledgment = acknowledgment;
  }

  /** An acceptable ACK came: SND.UNA <= SEG.ACK <= SND.NXT. */
  acknowledge(segment: Segment, windowChanged: boolean): void {
    const { acknowledgment } = segment;
    const count = distance(acknowledgment, this.una);
    const news = this.recovery.selectiveAcknowledgments(segment);
    if (count > 0) {
      const inFlight = this.inFlight;
      this.una = acknowledgment;
      const finTaken = Number(this.finAcknowledged);
      this.#measure(segment, acknowledgment);
      this.recovery.advanced(count, inFlight);
      this.#connection.timers.restartRetransmission();
      this.acknowledgedBytes += count - finTaken;
      if (count > finTaken) this.#connection.app.acknowledged(count - finTaken);
    } else if (this.inFlight > 0 && (news || (segment.length === 0 && !windowChanged))) {
      this.recovery.duplicate();
    }
  }

  /** Sends what windows and application permit. */
  pump(): void {
    if (!this.#connection.maySend) return;
    this.#followPath();
    this.recovery.retransmit();
    while (this.fin === undefined) {
      const inFlight = this.inFlight;
      const pipe = this.recovery.pipe();
      const room = Math.min(this.window - inFlight, this.congestion.window - pipe);
      // RFC 9293, 3.8.6.2.1: no small segments because of a nearly full window while an acknowledgement is on its way.
      if (room <= 0 || (inFlight > 0 && room < Math.min(this.mss, this.maxWindow / 2))) break;
      if (!this.#sendNew(inFlight, Math.min(room, this.joined))) break;
    }
    // The application may have given up meanwhile.
    if (this.#connection.isClosed()) return;
    if (this.inFlight > 0) this.#connection.timers.startRetransmission();
    else if (this.window === 0) this.#connection.timers.startPersisting();
  }

  /** Sends [sequence, end) again, or what of it fits a frame; returns how much of the sequence space was sent. */
  resend(sequence: number, end: number): number {
    const connection = this.#connection;
    this.#followPath();
    this.#timedEnd = undefined;
    connection.layer.counters.retransmitted++;
    const dataEnd = this.fin !== undefined && !before(end, this.fin) ? this.fin : end;
    const length = Math.min(distance(dataEnd, sequence), this.joined);
    const fin = advance(sequence, Math.max(0, length)) === this.fin ? FLAG.FIN : 0;
    if (length <= 0) {
      if (fin === 0) return 0;
      writeSegment(connection, sequence, FLAG.FIN | FLAG.ACK, 0);
      return 1;
    }
    const sent = this.#peek(distance(sequence, this.una), length);
    if (sent <= 0) return 0;
    const whole = sent === length;
    writeSegment(connection, sequence, FLAG.ACK | (whole ? FLAG.PSH | fin : 0), sent);
    return sent + Number(whole && fin !== 0);
  }

  /** Whether the application has something that only the peer's window holds back. */
  get isBlocked(): boolean {
    return this.fin === undefined && this.#peek(this.inFlight, 1) !== 0;
  }

  #followPath(): void {
    const { path, peerMss } = this.#connection;
    if (path.mtu !== this.#mtu) this.setSegmentSize(peerMss);
  }

  #sendNew(position: number, length: number): boolean {
    const connection = this.#connection;
    const count = this.#peek(position, length);
    if (count === 0 || connection.isClosed()) return false;
    if (count === STREAM_END) {
      this.fin = this.next;
      this.next = advance(this.next, 1);
      connection.sendingEnded();
      writeSegment(connection, this.fin, FLAG.FIN | FLAG.ACK, 0);
      return false;
    }
    const sequence = this.next;
    this.next = advance(sequence, count);
    if (this.#timedEnd === undefined && !connection.timestamps) {
      this.#timedEnd = this.next;
      this.#timedAt = connection.layer.timers.now;
    }
    writeSegment(connection, sequence, count < length ? FLAG.ACK | FLAG.PSH : FLAG.ACK, count);
    return true;
  }

  #peek(position: number, length: number): number {
    const { app, layer, payloadStart } = this.#connection;
    return app.peek(position, layer.output.bytes, payloadStart, length);
  }

  #measure(segment: Segment, acknowledgment: number): void {
    const { layer, timestamps } = this.#connection;
    const { now } = layer.timers;
    if (timestamps && segment.hasTimestamps && segment.timestampEcho !== 0) {
      const rtt = (layer.timestamp() - segment.timestampEcho) | 0;
      if (rtt >= 0 && rtt < 300_000) this.rtt.sample(rtt);
    } else if (this.#timedEnd !== undefined && !before(acknowledgment, this.#timedEnd)) {
      this.#timedEnd = undefined;
      this.rtt.sample(now - this.#timedAt);
    } else this.rtt.recovered();
  }
}
