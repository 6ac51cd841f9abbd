import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { noDrops } from './counters.ts';
import { Reassembly } from './reassembly.ts';
import { TimerQueue } from './timer-queue.ts';

function fixture(): { timers: TimerQueue; drops: ReturnType<typeof noDrops>; reassembly: Reassembly } {
  const timers = new TimerQueue();
  const drops = noDrops();
  return { timers, drops, reassembly: new Reassembly(timers, drops) };
}

const packet = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
const pieces = Array.from({ length: 5 }, (_, index) => index * 200);

describe('Reassembly', () => {
  it('joins fragments in any order, with duplicates', () => {
    const random = seededRandom(2);
    for (let round = 0; round < 50; round++) {
      const { reassembly } = fixture();
      const order = [...pieces, pieces[round % 5]!].sort(() => random() - 0.5);
      let whole: Uint8Array | undefined;
      for (const offset of order)
        whole ??= reassembly.add('k', offset, offset < 800, packet.subarray(offset, offset + 200));
      expect(whole).toEqual(packet);
    }
  });

  it('drops packets whose fragments overlap (RFC 5722)', () => {
    const { reassembly, drops } = fixture();
    reassembly.add('k', 0, true, packet.subarray(0, 200));
    reassembly.add('k', 192, false, packet.subarray(192, 300));
    expect([drops.malformed, reassembly.held]).toEqual([1, 0]);
  });

  it('refuses the ping of death, odd middles and contradicting ends', () => {
    const { reassembly, drops } = fixture();
    reassembly.add('a', 65_528, false, packet.subarray(0, 100));
    reassembly.add('b', 0, true, packet.subarray(0, 7));
    reassembly.add('c', 800, false, packet.subarray(800));
    reassembly.add('c', 1600, true, packet.subarray(0, 8));
    expect(drops.malformed).toBe(3);
  });

  it('bounds packets, bytes and fragments under a bomb', () => {
    const { reassembly, drops } = fixture();
    for (let id = 0; id < 10_000; id++) reassembly.add(`k${id}`, 8, true, new Uint8Array(60_000));
    expect(reassembly.held).toBeLessThanOrEqual(5 << 20);
    for (let offset = 0; offset < 65_000; offset += 16) reassembly.add('many', offset, true, new Uint8Array(8));
    expect(drops.fragmentLimit + drops.malformed).toBeGreaterThan(9000);
  });

  it('forgets what stays incomplete', () => {
    const { timers, reassembly, drops } = fixture();
    reassembly.add('k', 0, true, packet.subarray(0, 200));
    timers.advance(31_000);
    expect([reassembly.held, drops.fragmentLimit]).toEqual([0, 1]);
  });
});
