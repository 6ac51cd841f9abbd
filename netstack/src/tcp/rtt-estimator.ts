/** The retransmission timeout (RFC 6298). Times in ms. */

/**
 * RFC 6298 (2.4) wants at least 1 s, for the Internet; as every current host does, we go down to 200 ms, which is far above the
 * peers' delayed acknowledgements and the round trip of the link.
 */
const MINIMUM = 200;
/** RFC 6298 (2.5): at least 60 s. */
const MAXIMUM = 60_000;
const INITIAL = 1000;
/** The clock granularity G. */
const GRANULARITY = 1;

export class RttEstimator {
  smoothed = 0;
  #variation = 0;
  #timeout = INITIAL;
  #backoff = 1;
  #measured = false;

  /** Current timeout, back-off included. */
  get timeout(): number {
    return Math.min(MAXIMUM, this.#timeout * this.#backoff);
  }

  /** Takes a measurement of a segment that was not retransmitted (Karn), or one by timestamps; ends the back-off. */
  sample(rtt: number): void {
    if (this.#measured) {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.smoothed - rtt);
      this.smoothed = 0.875 * this.smoothed + 0.125 * rtt;
    } else {
      this.#measured = true;
      this.smoothed = rtt;
      this.#variation = rtt / 2;
    }
    this.#timeout = Math.max(MINIMUM, this.smoothed + Math.max(GRANULARITY, 4 * this.#variation));
    this.#backoff = 1;
  }

  /** RFC 6298 (5.5): the timer expired. */
  backOff(): void {
    this.#backoff = Math.min(this.#backoff * 2, 1024);
  }

  /** An acknowledgement of new data came, without a measurement: what is sent next starts from the plain timeout. */
  recovered(): void {
    this.#backoff = 1;
  }
}
