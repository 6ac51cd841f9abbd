/**
 * One direction of a line that is worse than it is: frames leave at a rate, late, or not at all.
 *
 * The rate is kept by a clock of its own, which says when the line is free again: it runs on with each frame and never behind
 * the time, so a timer that is late costs nothing. Frames stay in order. A frame that segmentation makes of many packets counts by
 * its bytes for the rate, and as one for the loss.
 */
import { Timer } from '../stack/timer-queue.ts';
import type { TimerQueue } from '../stack/timer-queue.ts';
import type { Frame } from './device.ts';

export interface LineLimits {
  /** Bits a second; absent or 0: no limit. */
  readonly rate?: number;
  /** Milliseconds. */
  readonly delay?: number;
  /** Share of frames, 0 to 1. */
  readonly loss?: number;
}

/** What waits for the line to be free, as long as it takes to send: more is dropped, but for a few large frames. */
const QUEUE_MS = 200;
const QUEUE_FRAMES = 8;
/** What a long delay may hold. */
const QUEUE_BYTES = 32 << 20;

export class Shaper {
  readonly counters = { passed: 0, lost: 0, overflowed: 0 };
  limits: LineLimits;
  readonly #timers: TimerQueue;
  readonly #random: () => number;
  readonly #deliver: (frame: Frame) => void;
  readonly #timer: Timer;
  #queue: { readonly frame: Frame; readonly free: number; readonly due: number }[] = [];
  /** How many of the queue have left the sender, and are on the long way. */
  #onLine = 0;
  #bytes = 0;
  /** When the line has sent everything that it was given. */
  #free = 0;

  constructor(limits: LineLimits, timers: TimerQueue, random: () => number, deliver: (frame: Frame) => void) {
    this.limits = limits;
    this.#timers = timers;
    this.#random = random;
    this.#deliver = deliver;
    this.#timer = new Timer(timers, () => this.#release());
  }

  /** Whether nothing waits. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Takes a frame, whose buffer is the caller's again on return. */
  send(frame: Frame): void {
    const { rate = 0, delay = 0, loss = 0 } = this.limits;
    if (loss > 0 && this.#random() < loss) {
      this.counters.lost++;
      return;
    }
    const { now } = this.#timers;
    const length = frame.end - frame.start;
    const free = Math.max(now, this.#free);
    while (this.#onLine < this.#queue.length && this.#queue[this.#onLine]!.free <= now) this.#onLine++;
    const waiting = this.#queue.length - this.#onLine;
    if ((free - now > QUEUE_MS && waiting >= QUEUE_FRAMES) || this.#bytes + length > QUEUE_BYTES) {
      this.counters.overflowed++;
      return;
    }
    this.#free = free + (rate > 0 ? (8000 * length) / rate : 0);
    const due = this.#free + delay;
    if (due <= now && this.#queue.length === 0) {
      this.counters.passed++;
      this.#deliver(frame);
      return;
    }
    // Limits that have become easier let nothing overtake.
    const last = this.#queue.at(-1)?.due ?? 0;
    this.#queue.push({ frame: frame.copy(), free: this.#free, due: Math.max(due, last) });
    this.#bytes += length;
    this.#timer.set(this.#queue[0]!.due - now);
  }

  /** Drops what waits. */
  close(): void {
    this.#queue = [];
    this.#onLine = 0;
    this.#bytes = 0;
    this.#timer.dispose();
  }

  #release(): void {
    const { now } = this.#timers;
    let count = 0;
    for (; count < this.#queue.length && this.#queue[count]!.due <= now; count++) {
      const { frame } = this.#queue[count]!;
      this.#bytes -= frame.end - frame.start;
      this.counters.passed++;
      this.#deliver(frame);
    }
    this.#queue.splice(0, count);
    this.#onLine = Math.max(0, this.#onLine - count);
    if (this.#queue[0] !== undefined) this.#timer.set(Math.max(0, this.#queue[0].due - now));
  }
}
