import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { Scoreboard } from './scoreboard.ts';
import { advance } from './sequence.ts';

describe('Scoreboard', () => {
  it('agrees with a bitmap on every question, whatever the order of blocks', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const origin = advance(0, -100);
      const size = 200;
      const map = new Uint8Array(size);
      const board = new Scoreboard();
      let una = 0;
      for (let step = 0; step < 60; step++) {
        const start = una + Math.floor(random() * (size - una));
        const end = Math.min(size, start + 1 + Math.floor(random() * 30));
        if (start < end) {
          const news = map.subarray(start, end).includes(0);
          expect(board.add(advance(origin, start), advance(origin, end))).toBe(news);
          map.fill(1, start, end);
        }
        if (random() < 0.2) {
          una = Math.min(size - 1, una + Math.floor(random() * 10));
          map.fill(0, 0, una);
          board.advance(advance(origin, una));
        }
        expect(board.bytes).toBe(map.reduce((sum, bit) => sum + bit, 0));
        const from = una + Math.floor(random() * (size - una));
        const to = from + Math.floor(random() * (size - from));
        const missing = map.subarray(from, to).reduce((sum, bit) => sum + 1 - bit, 0);
        expect(board.missing(advance(origin, from), advance(origin, to))).toBe(missing);
        const first = map.indexOf(0, from);
        const hole = board.hole(advance(origin, from), advance(origin, to));
        if (first < 0 || first >= to) expect(hole).toBeUndefined();
        else expect(hole?.start).toBe(advance(origin, first));
      }
    }
  });
});
