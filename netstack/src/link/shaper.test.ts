import { beforeEach, describe, expect, it } from 'vitest';
import { TimerQueue } from '../stack/timer-queue.ts';
import { Frame, HEADROOM, NO_OFFLOADS } from './device.ts';
import { seededRandom } from './fault-injector.ts';
import { LineLimiter } from './line-limiter.ts';
import type { LineLimits } from './shaper.ts';
import { Shaper } from './shaper.ts';

let timers: TimerQueue;
let arrived: { at: number; tag: number }[];

beforeEach(() => {
  timers = new TimerQueue();
  arrived = [];
});

function frame(length: number, tag = 0): Frame {
  const made = new Frame(HEADROOM + length);
  made.end = HEADROOM + length;
  made.bytes[HEADROOM + 20] = tag;
  return made;
}

function shaper(limits: LineLimits): Shaper {
  return new Shaper(limits, timers, seededRandom(7), ({ bytes }) =>
    arrived.push({ at: timers.now, tag: bytes[HEADROOM + 20]! }),
  );
}

function pass(until: number, step = 1): void {
  for (let now = timers.now + step; now <= until; now += step) timers.advance(now);
}

describe('Shaper', () => {
  it('without limits delivers at once', () => {
    shaper({}).send(frame(100, 3));
    expect(arrived).toEqual([{ at: 0, tag: 3 }]);
  });

  it('delays, in order, and keeps its own copy', () => {
    const line = shaper({ delay: 50 });
    const reused = frame(100, 1);
    line.send(reused);
    reused.bytes[HEADROOM + 20] = 2;
    timers.advance(10);
    line.send(reused);
    pass(100);
    expect(arrived).toEqual([
      { at: 50, tag: 1 },
      { at: 60, tag: 2 },
    ]);
  });

  it.each([1e6, 1e7, 1e8])('%d bits a second are that many, however late the timers are', (rate) => {
    const line = shaper({ rate });
    let bytes = 0;
    for (let now = 0; now < 5000; now += 7) {
      timers.advance(now);
      for (let i = 0; i < 200; i++) line.send(frame(1250));
      bytes = 1250 * arrived.length;
    }
    expect((8 * bytes) / 5 / rate).toBeGreaterThan(0.97);
    expect((8 * bytes) / 5 / rate).toBeLessThan(1.03);
    expect(line.counters.overflowed).toBeGreaterThan(0);
  });

  it('loses its share', () => {
    const line = shaper({ loss: 0.1 });
    for (let i = 0; i < 10_000; i++) line.send(frame(60));
    expect(line.counters.lost).toBeGreaterThan(900);
    expect(line.counters.lost).toBeLessThan(1100);
    expect(arrived.length + line.counters.lost).toBe(10_000);
  });

  it('lets nothing overtake when its limits are lifted', () => {
    const line = shaper({ delay: 50 });
    line.send(frame(60, 1));
    line.limits = {};
    line.send(frame(60, 2));
    pass(60);
    line.send(frame(60, 3));
    expect(arrived.map(({ tag }) => tag)).toEqual([1, 2, 3]);
  });

  it('holds no more than its bounds', () => {
    const line = shaper({ delay: 60_000 });
    for (let i = 0; i < 2000; i++) line.send(frame(65_000));
    expect(line.counters.overflowed).toBe(2000 - Math.floor((32 << 20) / 65_000));
    line.close();
    pass(70_000, 1000);
    expect(arrived).toEqual([]);
  });
});

describe('LineLimiter', () => {
  it('limits one station in both directions, and nobody else', () => {
    const sent: number[] = [];
    const received: number[] = [];
    const device = { offloads: NO_OFFLOADS, transmit: () => void sent.push(timers.now) };
    const limiter = new LineLimiter(device, timers, seededRandom(1));
    limiter.onFrame = () => void received.push(timers.now);
    const slow = Uint8Array.of(2, 0, 0, 0, 0, 1);
    limiter.limit(slow, { delay: 10 });
    const toSlow = frame(60);
    toSlow.bytes.set(slow, HEADROOM);
    const fromSlow = frame(60);
    fromSlow.bytes.set(slow, HEADROOM + 6);
    for (const each of [toSlow, fromSlow]) limiter.transmit(each);
    for (const each of [toSlow, fromSlow]) limiter.receive(each);
    pass(20);
    expect([sent, received]).toEqual([
      [0, 10],
      [0, 10],
    ]);
    limiter.limit(slow, undefined);
    limiter.transmit(toSlow);
    expect(sent.at(-1)).toBe(20);
  });
});
