/** Holds the frames of single stations of a link to their limits, in both directions; everybody else's pass untouched. */
import { macNumber } from '../wire/address.ts';
import { ETHERNET } from '../wire/ethernet.ts';
import type { TimerQueue } from '../stack/timer-queue.ts';
import type { Device, Frame, Offloads } from './device.ts';
import { Shaper } from './shaper.ts';
import type { LineLimits } from './shaper.ts';

interface Line {
  readonly toStation: Shaper;
  readonly fromStation: Shaper;
}

export class LineLimiter implements Device {
  readonly offloads: Offloads;
  /** Takes what stations send, once it is through. */
  onFrame: (frame: Frame) => void = () => undefined;
  readonly #device: Device;
  readonly #timers: TimerQueue;
  readonly #random: () => number;
  /** By MAC address. */
  readonly #lines = new Map<number, Line>();

  constructor(device: Device, timers: TimerQueue, random: () => number) {
    this.offloads = device.offloads;
    this.#device = device;
    this.#timers = timers;
    this.#random = random;
  }

  /** Sets a station's limits; undefined lifts them. What waits keeps its time. */
  limit(mac: Uint8Array, limits: LineLimits | undefined): void {
    const station = macNumber(new DataView(mac.buffer, mac.byteOffset), 0);
    const line = this.#lines.get(station);
    if (line) {
      line.toStation.limits = line.fromStation.limits = limits ?? {};
      if (limits === undefined && line.toStation.isIdle && line.fromStation.isIdle) this.#lines.delete(station);
    } else if (limits !== undefined) {
      this.#lines.set(station, {
        toStation: new Shaper(limits, this.#timers, this.#random, (frame) => this.#device.transmit(frame)),
        fromStation: new Shaper(limits, this.#timers, this.#random, (frame) => this.onFrame(frame)),
      });
    }
  }

  /** Towards a station. */
  transmit(frame: Frame): void {
    const line = this.#lines.size === 0 ? undefined : this.#lines.get(macNumber(frame.view, frame.start));
    if (line) line.toStation.send(frame);
    else this.#device.transmit(frame);
  }

  /** From a station. */
  receive(frame: Frame): void {
    const source = frame.start + ETHERNET.source;
    const line = this.#lines.size === 0 ? undefined : this.#lines.get(macNumber(frame.view, source));
    if (line) line.fromStation.send(frame);
    else this.onFrame(frame);
  }

  close(): void {
    for (const line of this.#lines.values()) {
      line.toStation.close();
      line.fromStation.close();
    }
    this.#lines.clear();
  }
}
