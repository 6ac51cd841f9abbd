import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { OutOfOrder } from './out-of-order.ts';
import { advance } from './sequence.ts';

describe('OutOfOrder', () => {
  it('gives back the stream from overlapping pieces in any order', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const stream = Uint8Array.from({ length: 500 }, () => Math.floor(random() * 256));
      const origin = advance(0, -250);
      const queue = new OutOfOrder();
      const seen = new Uint8Array(500);
      while (seen.includes(0)) {
        const start = Math.floor(random() * 500);
        const length = Math.min(500 - start, 1 + Math.floor(random() * 60));
        const fresh = seen.subarray(start, start + length).reduce((sum, bit) => sum + 1 - bit, 0);
        expect(queue.add(advance(origin, start), stream, start, length)).toBe(fresh);
        seen.fill(1, start, start + length);
        expect(queue.bytes).toBe(seen.reduce((sum, bit) => sum + bit, 0));
        const blocks = queue.blocks();
        const [left, right] = [advance(blocks[0]!, -origin), advance(blocks[1]!, -origin)];
        expect(left <= start && start < right).toBe(true);
      }
      const parts: Uint8Array[] = [];
      let next = origin;
      for (let part = queue.take(next); part; part = queue.take(next)) {
        parts.push(part);
        next = advance(next, part.length);
      }
      expect(Buffer.concat(parts).equals(stream)).toBe(true);
      expect([queue.bytes, queue.isEmpty]).toEqual([0, true]);
    }
  });
});
