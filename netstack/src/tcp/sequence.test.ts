import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { advance, before, distance, earlier, later } from './sequence.ts';

const random = seededRandom(3);
const cases = Array.from({ length: 2000 }, () => ({
  start: Math.floor(random() * 2 ** 32),
  step: Math.floor(random() * (2 ** 31 - 1)) + 1,
}));

describe('sequence numbers', () => {
  it('advance stays an unsigned 32-bit number and is undone by distance', () => {
    for (const { start, step } of cases) {
      const end = advance(start, step);
      expect(end).toBe((start + step) % 2 ** 32);
      expect([distance(end, start), distance(start, end)]).toEqual([step, -step]);
    }
  });

  it('order survives the wrap, and is one', () => {
    for (const { start, step } of cases) {
      const end = advance(start, step);
      expect([before(start, end), before(end, start), before(start, start)]).toEqual([true, false, false]);
      expect([later(start, end), earlier(start, end)]).toEqual([end, start]);
      expect([later(end, start), earlier(end, start)]).toEqual([end, start]);
    }
  });

  it('goes back by a negative step', () => {
    expect(advance(0, -1)).toBe(0xffffffff);
  });
});
