/** A device in front of another that loses, repeats, delays and damages frames, as a seed determines. */
import type { TimerQueue } from '../stack/timer-queue.ts';
import { Timer } from '../stack/timer-queue.ts';
import { CHECKSUM } from './device.ts';
import type { Device, Frame, Offloads } from './device.ts';

export interface Faults {
  /** Probabilities, 0 to 1, for each frame. */
  readonly loss?: number;
  readonly duplicate?: number;
  /** Delayed by up to `jitter` ms, so that later frames overtake it. */
  readonly reorder?: number;
  /** One random bit flipped, in frames that carry a complete checksum: others would reach the stack with the damage unseen. */
  readonly corrupt?: number;
  readonly jitter?: number;
}

/** A small seeded generator (mulberry32) of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class FaultInjector implements Device {
  readonly offloads: Offloads;
  readonly counters = { passed: 0, lost: 0, duplicated: 0, delayed: 0, corrupted: 0 };
  readonly #device: Device;
  readonly #faults: Faults;
  readonly #timers: TimerQueue;
  readonly #random: () => number;

  constructor(device: Device, faults: Faults, timers: TimerQueue, random: () => number) {
    this.#device = device;
    this.offloads = device.offloads;
    this.#faults = faults;
    this.#timers = timers;
    this.#random = random;
  }

  transmit(frame: Frame): void {
    const { loss = 0, duplicate = 0, reorder = 0, corrupt = 0, jitter = 1 } = this.#faults;
    const { counters } = this;
    if (this.#random() < loss) {
      counters.lost++;
      return;
    }
    if (this.#random() < duplicate) {
      counters.duplicated++;
      this.#device.transmit(frame);
    }
    const sent = this.#random() < corrupt && frame.checksum === CHECKSUM.COMPLETE ? this.#damage(frame) : frame;
    if (this.#random() < reorder) {
      counters.delayed++;
      const copy = sent.copy();
      new Timer(this.#timers, () => this.#device.transmit(copy)).set(this.#random() * jitter);
      return;
    }
    counters.passed++;
    this.#device.transmit(sent);
  }

  #damage(frame: Frame): Frame {
    this.counters.corrupted++;
    const damaged = frame.copy();
    const at = frame.start + Math.floor(this.#random() * (frame.end - frame.start));
    damaged.bytes[at] = damaged.bytes[at]! ^ (1 << Math.floor(this.#random() * 8));
    return damaged;
  }
}
