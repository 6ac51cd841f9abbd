/** Two devices joined by a wire with a delay: a link for tests and for stacks that talk to each other in one process. */
import type { TimerQueue } from '../stack/timer-queue.ts';
import { Timer } from '../stack/timer-queue.ts';
import { NO_OFFLOADS } from './device.ts';
import type { Device, Frame, Offloads } from './device.ts';

export interface PairOptions {
  /** One-way delay in ms. Default 0: arrives when the timers are advanced next. */
  readonly delay?: number;
  /** What each end claims to do. A pair passes partial checksums and long frames on as they are, as a TAP does. */
  readonly offloads?: Offloads;
}

export class PairEnd implements Device {
  readonly offloads: Offloads;
  /** Takes what the other end sends. */
  onFrame: (frame: Frame) => void = () => undefined;
  readonly #timers: TimerQueue;
  readonly #delay: number;
  readonly #inbox: { frame: Frame; due: number }[] = [];
  readonly #delivery: Timer;
  #peer: PairEnd | undefined;

  constructor(timers: TimerQueue, options: PairOptions) {
    this.#timers = timers;
    this.#delay = options.delay ?? 0;
    this.offloads = options.offloads ?? NO_OFFLOADS;
    this.#delivery = new Timer(timers, () => this.#deliver());
  }

  connect(peer: PairEnd): void {
    this.#peer = peer;
  }

  transmit(frame: Frame): void {
    this.#peer?.take(frame.copy());
  }

  /** Takes a frame off the wire `delay` ms from now. */
  take(frame: Frame): void {
    this.#inbox.push({ frame, due: this.#timers.now + this.#delay });
    if (!this.#delivery.armed) this.#delivery.set(this.#delay);
  }

  #deliver(): void {
    // What is sent in answer goes out in a later round.
    let count = this.#inbox.findIndex(({ due }) => due > this.#timers.now);
    if (count < 0) count = this.#inbox.length;
    for (const { frame } of this.#inbox.splice(0, count)) this.onFrame(frame);
    const next = this.#inbox[0];
    if (next && !this.#delivery.armed) this.#delivery.set(Math.max(0, next.due - this.#timers.now));
  }
}

/** The two ends of a new wire. */
export function pair(timers: TimerQueue, options: PairOptions = {}): [PairEnd, PairEnd] {
  const one = new PairEnd(timers, options);
  const other = new PairEnd(timers, options);
  one.connect(other);
  other.connect(one);
  return [one, other];
}
