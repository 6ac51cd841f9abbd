/**
 * Congestion control: NewReno (RFC 5681, 6582) with byte counting (RFC 3465). Loss recovery itself is loss-recovery.ts; this is the
 * window's size alone. A TAP never congests on the way, but a container behind a bridge, or a lossy link, does.
 */

/** RFC 6928: ten segments. */
const INITIAL_SEGMENTS = 10;
/** Beyond what any receive window here allows, growth would only make a later loss harder to recover from. */
const MAXIMUM = 16 << 20;

export class Congestion {
  /** Bytes that may be in flight, a whole number. */
  window = 0;
  #threshold = Infinity;
  #mss = 0;
  #credit = 0;

  /** The handshake settled the segment size. */
  start(mss: number): void {
    this.#mss = mss;
    // RFC 6928: min (10 MSS, max (2 MSS, 14600)).
    this.window = Math.min(INITIAL_SEGMENTS * mss, Math.max(2 * mss, 14_600));
  }

  /** RFC 5681, 4: the MSS shrank with the path MTU. */
  set mss(mss: number) {
    this.#mss = mss;
  }

  /** `count` new bytes were acknowledged outside of recovery, while the window was in use. */
  acknowledged(count: number): void {
    if (this.window < this.#threshold) {
      // Slow start. Peers acknowledge 64 KiB at once where segments travel joined, so the count is not capped at 2 MSS.
      this.window = Math.min(MAXIMUM, this.window + count);
      return;
    }
    this.#credit += count;
    if (this.#credit < this.window) return;
    this.#credit -= this.window;
    this.window = Math.min(MAXIMUM, this.window + this.#mss);
  }

  /** Fast recovery begins (RFC 5681, 3.2; RFC 6675, 5 step 4.2). */
  lost(inFlight: number): void {
    this.window = this.#threshold = this.#half(inFlight);
    this.#credit = 0;
  }

  /** The retransmission timer expired (RFC 5681, 3.1): `again` when it did for the same segment before. */
  timedOut(inFlight: number, again: boolean): void {
    if (!again) this.#threshold = this.#half(inFlight);
    this.window = this.#mss;
    this.#credit = 0;
  }

  /** RFC 5681, equation 4. In whole bytes: of a fraction the application would be asked for, and seem to have run dry. */
  #half(inFlight: number): number {
    return Math.max(Math.floor(inFlight / 2), 2 * this.#mss);
  }
}
