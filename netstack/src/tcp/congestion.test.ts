import { describe, expect, it } from 'vitest';
import { Congestion } from './congestion.ts';

function started(mss: number): Congestion {
  const congestion = new Congestion();
  congestion.start(mss);
  return congestion;
}

describe('Congestion', () => {
  it('halves to whole bytes', () => {
    const congestion = started(1460);
    congestion.lost(100_001);
    expect(congestion.window).toBe(50_000);
    congestion.acknowledged(50_000);
    expect(congestion.window).toBe(51_460);
  });

  it('slow-starts after a timeout up to half of what was in flight, and by a segment a window from there', () => {
    const congestion = started(1000);
    congestion.timedOut(20_001, false);
    expect(congestion.window).toBe(1000);
    congestion.acknowledged(9000);
    expect(congestion.window).toBe(10_000);
    congestion.acknowledged(10_000);
    expect(congestion.window).toBe(11_000);
  });

  it('keeps two segments, however little was in flight', () => {
    const congestion = started(1000);
    congestion.lost(1001);
    expect(congestion.window).toBe(2000);
  });
});
