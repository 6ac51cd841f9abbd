/**
 * The receiving half of a connection: RCV.NXT, the window, what is queued for the application, what is out of order, and when to
 * acknowledge.
 *
 * Acknowledgements are put off to the end of a batch of frames and, below two segments, for `delayedAck` ms in the hope of data to
 * ride on (RFC 9293, 3.8.6.3). The window never shrinks (3.8.6.2.1): its right edge only moves ahead, by what the application
 * took. Memory is bounded in two ways: a connection queues at most its window, and all together at most the layer's memory;
 * beyond that, data is dropped unacknowledged and the peer sends it again later.
 */
import type { Segment } from '../wire/tcp.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Connection } from './connection.ts';
import { OutOfOrder } from './out-of-order.ts';
import { advance, before, distance, later } from './sequence.ts';

/**
 * Full segments that are acknowledged without delay at the start, so that a peer's slow start is not slowed further. Small ones are
 * most likely requests, whose answers can carry the acknowledgement.
 */
const QUICK_ACKS = 16;
/** Bytes that make an acknowledgement due at the end of the batch. */
const DUE_BYTES = 16_384;
/**
 * Bytes that are acknowledged within the batch: a batch may hold more than the peer's congestion window (BBR's is twice what the
 * link holds, and this link is short), and a peer that stands still until its end does no work beside ours.
 */
const EARLY_BYTES = 262_144;

export class Receiver {
  /** RCV.NXT. */
  next = 0;
  /** Bytes of payload that came in order. */
  receivedBytes = 0;
  /** The right edge of the window as the peer knows it. */
  edge = 0;
  /** RCV.NXT as the peer was last told: Last.ACK.sent of RFC 7323. */
  told = 0;
  /** Shift of the windows that we announce; 0 when the peer does not scale. */
  scale = 0;
  /** Payload bytes and segments that no acknowledgement covers yet. */
  unacknowledged = 0;
  /** An acknowledgement goes out with the next flush. */
  due = false;
  readonly outOfOrder = new OutOfOrder();
  readonly #queue = new ByteQueue();
  readonly #connection: Connection;
  #quick = QUICK_ACKS;
  /** Sequence number of the peer's FIN, once seen. */
  #fin: number | undefined;
  #finished = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The peer's SYN took `sequence`. */
  start(sequence: number): void {
    this.next = advance(sequence, 1);
    this.edge = advance(this.next, Math.min(65_535, this.#connection.layer.limits.window));
  }

  /** Bytes held for the application or in wait for a gap to close. */
  get held(): number {
    return this.#queue.length + this.outOfOrder.bytes;
  }

  isFinished(): boolean {
    return this.#finished;
  }

  /** RFC 9293, 3.10.7.4, first step; a segment without length may stand on the edge, as peers with a full window send them. */
  isAcceptable(sequence: number, length: number): boolean {
    const window = distance(this.edge, this.next);
    const start = distance(sequence, this.next);
    if (length === 0) return start >= 0 && start <= window;
    return window > 0 && start < window && start + length > 0;
  }

  /** Takes payload and FIN of an acceptable segment. */
  accept(segment: Segment, fin: boolean): void {
    let { sequence, payloadStart: start, payloadLength: length } = segment;
    const known = distance(this.next, sequence);
    if (known > 0) {
      // A duplicate in part; RFC 9293, 3.10.7.4: trim, and acknowledge at once.
      this.due = true;
      sequence = this.next;
      start += known;
      length -= known;
    }
    const beyond = distance(advance(sequence, Math.max(0, length)), this.edge);
    const cut = beyond > 0;
    if (cut) length -= beyond;
    if (fin && !cut) this.#fin ??= advance(sequence, Math.max(0, length));
    if (length > 0) {
      if (sequence === this.next) this.#inOrder(segment.bytes, start, length);
      else this.#ahead(segment.bytes, sequence, start, length);
    }
    if (this.#fin !== undefined && this.#fin === this.next && !this.#finished) {
      this.next = advance(this.next, 1);
      this.edge = later(this.edge, this.next);
      this.#finished = true;
      // Like a small segment: our own FIN is likely to follow.
      this.unacknowledged++;
    } else if (fin) this.due = true;
    this.#schedule(length);
  }

  /** The application can take more. */
  resume(): void {
    if (this.#queue.length === 0) return;
    const { app, layer } = this.#connection;
    this.#queue.drain((bytes, start, length) => {
      const taken = app.receive(bytes, start, length);
      layer.memory -= taken;
      return taken;
    });
    if (this.#connection.isClosed()) return;
    // RFC 9293, 3.8.6.2.2: tell of more room once it is worth a segment, or half of all there is.
    const room = distance(this.#target(), this.edge);
    const shown = distance(this.edge, this.next);
    if (room >= Math.min(layer.limits.window / 2, shown === 0 ? 2 * this.#connection.sender.mss : 65_536)) {
      this.due = true;
      this.#connection.acknowledgeLater();
    }
  }

  /** Whether all that came was taken. */
  isDrained(): boolean {
    return this.#queue.length === 0;
  }

  /** The window for the next segment's header; moves the edge. */
  announce(): number {
    const target = this.#target();
    if (before(this.edge, target)) this.edge = target;
    const window = distance(this.edge, this.next) >>> this.scale;
    return Math.min(window, 0xffff);
  }

  /** A segment with the current acknowledgement went out. */
  acknowledged(): void {
    this.told = this.next;
    this.unacknowledged = 0;
    this.due = false;
    if (this.#quick > 0) this.#quick--;
  }

  close(): void {
    this.#connection.layer.memory -= this.held;
    this.#queue.clear();
    this.outOfOrder.clear();
  }

  /** Where the edge would be by what is free now, in whole units of the scale. */
  #target(): number {
    const { layer } = this.#connection;
    const unit = 1 << this.scale;
    const limit = Math.min(layer.limits.window, 0xffff * unit);
    const free = Math.max(0, limit - this.#queue.length);
    // A window that memory would not back is not promised.
    const backed = layer.memory >= layer.limits.memory ? 0 : free;
    return advance(this.next, Math.floor(backed / unit) * unit);
  }

  #inOrder(bytes: Uint8Array, start: number, length: number): void {
    const accepted = this.#hand(bytes, start, length);
    this.next = advance(this.next, accepted);
    this.receivedBytes += accepted;
    this.unacknowledged += accepted;
    if (accepted < length) return;
    const { layer } = this.#connection;
    if (this.outOfOrder.isEmpty) return;
    // RFC 5681, 4.2: a segment that fills a gap is acknowledged at once.
    this.due = true;
    const held = this.outOfOrder.bytes;
    for (let chunk = this.outOfOrder.take(this.next); chunk !== undefined; chunk = this.outOfOrder.take(this.next)) {
      const taken = this.#hand(chunk, 0, chunk.length);
      this.next = advance(this.next, taken);
      this.receivedBytes += taken;
      this.unacknowledged += taken;
      if (taken < chunk.length) break;
    }
    layer.memory -= held - this.outOfOrder.bytes;
  }

  /** Gives bytes to the application or else the queue; returns how many found a place. */
  #hand(bytes: Uint8Array, start: number, length: number): number {
    const { app, layer } = this.#connection;
    const taken = this.#queue.length === 0 ? app.receive(bytes, start, length) : 0;
    const rest = length - taken;
    // The application may have aborted the connection instead of taking anything.
    if (rest === 0 || this.#connection.isClosed()) return length;
    if (layer.memory + rest > layer.limits.memory) {
      layer.drops.tcpMemory++;
      return taken;
    }
    this.#queue.push(bytes, start + taken, rest);
    layer.memory += rest;
    return length;
  }

  #ahead(bytes: Uint8Array, sequence: number, start: number, length: number): void {
    const { layer } = this.#connection;
    this.due = true;
    if (layer.memory + length > layer.limits.memory) {
      layer.drops.tcpMemory++;
      return;
    }
    layer.memory += this.outOfOrder.add(sequence, bytes, start, length);
  }

  #schedule(length: number): void {
    const { sender } = this.#connection;
    const quick = this.#quick > 0 && length >= Math.min(sender.mss, 1000);
    if (quick || this.unacknowledged >= Math.min(DUE_BYTES, 2 * sender.mss)) this.due = true;
    if (this.unacknowledged >= EARLY_BYTES) this.#connection.sendAcknowledgment();
    else if (this.due) this.#connection.acknowledgeLater();
    else if (this.unacknowledged > 0) this.#connection.timers.delayAcknowledgement();
  }
}
