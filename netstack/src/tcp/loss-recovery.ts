/**
 * Loss recovery of a sender: fast retransmit and recovery with SACK (RFC 6675) or without (NewReno, RFC 6582), and recovery after
 * a timeout (RFC 5681, 3.1; RFC 6298, 5).
 *
 * All three are one mechanism. Recovery lasts until `point` (what was SND.NXT when it began) is acknowledged. Everything below
 * `lostEdge` that the peer has not reported is taken for lost: in fast recovery that edge is the highest SACK (without SACK: one
 * segment beyond SND.UNA), after a timeout it is `point`. `resent` runs through the lost stretches in order. What is in
 * the network, the pipe, is then what was resent plus what lies beyond the edge and was not reported.
 */
import type { Segment } from '../wire/tcp.ts';
import { Scoreboard } from './scoreboard.ts';
import type { Sender } from './sender.ts';
import { advance, before, distance, earlier, later } from './sequence.ts';

/** RFC 5681: DupThresh. */
const DUPLICATES = 3;

export class LossRecovery {
  readonly #sender: Sender;
  readonly #scoreboard = new Scoreboard();
  #active = false;
  /** The retransmission timer began this recovery. */
  #afterTimeout = false;
  #point = 0;
  #lostEdge = 0;
  #resent = 0;
  #duplicates = 0;
  /** The next retransmission goes out whatever the window is (RFC 6675, 5, step 4.3; RFC 5681, 3.2, step 3). */
  #force = false;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Bytes estimated to be on their way (RFC 6675, 4: SetPipe). */
  pipe(): number {
    const { una, next, mss, inFlight } = this.#sender;
    const board = this.#scoreboard;
    if (!this.#active) {
      if (this.#duplicates === 0) return inFlight;
      // RFC 3042: each duplicate tells of a segment that has left the network.
      return Math.max(0, inFlight - (board.isEmpty ? this.#duplicates * mss : board.bytes));
    }
    const pipe = board.missing(una, earlier(this.#resent, this.#lostEdge)) + board.missing(this.#lostEdge, next);
    return board.isEmpty ? Math.max(0, pipe - this.#duplicates * mss) : pipe;
  }

  /** Takes the segment's SACK blocks; returns whether they tell anything new. */
  selectiveAcknowledgments(segment: Segment): boolean {
    const { una, next } = this.#sender;
    let news = false;
    for (let index = 0; index < segment.sackCount; index++) {
      const start = segment.sack[2 * index]!;
      const end = segment.sack[2 * index + 1]!;
      // Only what is in flight can be reported; a block below SND.UNA is a duplicate's (RFC 2883).
      if (!before(start, end) || before(start, una) || before(next, end)) continue;
      if (this.#scoreboard.add(start, end)) news = true;
    }
    return news;
  }

  /** SND.UNA moved ahead by `count`; `inFlight` is from before. */
  advanced(count: number, inFlight: number): void {
    const { una, congestion, mss } = this.#sender;
    this.#scoreboard.advance(una);
    this.#duplicates = 0;
    if (!this.#active) {
      // RFC 7661: a window that was not used is not shown to be right.
      if (inFlight + 2 * mss >= congestion.window || inFlight * 2 >= congestion.window) congestion.acknowledged(count);
      return;
    }
    if (!before(una, this.#point)) {
      this.#active = false;
      return;
    }
    if (before(this.#resent, una)) this.#resent = una;
    if (this.#afterTimeout) congestion.acknowledged(count);
    // A partial acknowledgement: the segment it stops at is lost as well, if it was not sent again already. Without SACK it goes
    // out at once, for the duplicates that told how much has left the network are not counted on (RFC 6582, 3.2, step 5).
    else if (this.#resent === una) {
      this.#lostEdge = later(this.#lostEdge, earlier(advance(una, mss), this.#point));
      if (this.#scoreboard.isEmpty) this.#force = true;
    }
    this.#extend();
  }

  /** A duplicate acknowledgement. */
  duplicate(): void {
    this.#duplicates++;
    if (this.#active) {
      this.#extend();
      return;
    }
    if (this.#duplicates < DUPLICATES) return;
    const { una, next, mss, congestion, inFlight } = this.#sender;
    this.#begin(false);
    congestion.lost(inFlight);
    this.#lostEdge = this.#scoreboard.isEmpty ? earlier(advance(una, mss), next) : this.#scoreboard.highest(una);
  }

  /** The retransmission timer expired: everything not reported is taken for lost. */
  timedOut(): void {
    const { una, next, congestion, inFlight } = this.#sender;
    const again = this.#active && this.#afterTimeout;
    // RFC 2018, 8: a peer that does not acknowledge what it once reported has thrown it away.
    if (this.#scoreboard.has(una)) this.#scoreboard.clear();
    congestion.timedOut(inFlight, again);
    this.#begin(true);
    this.#lostEdge = next;
    this.#duplicates = 0;
  }

  /** Sends lost stretches again as far as the congestion window goes. */
  retransmit(): void {
    const sender = this.#sender;
    while (this.#active) {
      const hole = this.#scoreboard.hole(this.#resent, this.#lostEdge);
      if (hole === undefined) return;
      const room = sender.congestion.window - this.pipe();
      if (room < sender.mss && !this.#force) return;
      this.#force = false;
      const length = Math.min(distance(hole.end, hole.start), Math.max(room, sender.mss), sender.joined);
      const sent = sender.resend(hole.start, advance(hole.start, length));
      if (sent === 0) return;
      this.#resent = advance(hole.start, sent);
    }
  }

  #begin(afterTimeout: boolean): void {
    this.#active = true;
    this.#afterTimeout = afterTimeout;
    this.#point = this.#sender.next;
    this.#resent = this.#sender.una;
    this.#force = true;
  }

  #extend(): void {
    if (!this.#afterTimeout)
      this.#lostEdge = later(this.#lostEdge, earlier(this.#scoreboard.highest(this.#sender.una), this.#point));
  }
}
