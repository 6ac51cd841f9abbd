import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { Timer, TimerQueue } from './timer-queue.ts';

describe('TimerQueue', () => {
  it('fires each timer once, in order, at its latest deadline', () => {
    const random = seededRandom(9);
    const queue = new TimerQueue();
    const fired: number[] = [];
    const deadlines = new Map<number, number>();
    const timers = Array.from({ length: 200 }, (_, id) => new Timer(queue, () => fired.push(id)));
    for (let step = 0; step < 2000; step++) {
      const id = Math.floor(random() * timers.length);
      const timer = timers[id]!;
      const choice = random();
      if (choice < 0.6) {
        timer.set(random() * 1000);
        deadlines.set(id, timer.deadline);
      } else if (choice < 0.8) {
        timer.cancel();
        deadlines.delete(id);
      } else if (choice < 0.9) {
        timer.dispose();
        deadlines.delete(id);
      } else {
        const before = fired.length;
        queue.advance(queue.now + random() * 50);
        const due = [...deadlines]
          .filter(([, deadline]) => deadline <= queue.now)
          .sort(([, one], [, other]) => one - other);
        expect(fired.slice(before)).toEqual(due.map(([which]) => which));
        for (const [which] of due) deadlines.delete(which);
        expect(queue.nextDeadline).toBeLessThanOrEqual(Math.min(Infinity, ...deadlines.values()));
      }
    }
    queue.advance(1e9);
    expect(queue.nextDeadline).toBe(Infinity);
  });
});
