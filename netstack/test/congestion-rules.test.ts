/** The rules of congestion control, loss recovery and timers, each by the RFC that gives it, as packet scripts. */
import { describe, expect, it } from 'vitest';
import { ScriptedPeer } from './scripted-peer.ts';

const PLAIN = { timestamps: false, sack: false };

/** A stack that has sent its initial window of ten segments of 1000 bytes. */
function sending(bytes = 200_000, tcp: ConstructorParameters<typeof ScriptedPeer>[0] = {}): ScriptedPeer {
  const peer = new ScriptedPeer({ tcp: PLAIN, outgoing: 'a'.repeat(bytes), ...tcp });
  peer.establish({ syn: { mss: 1000, windowScale: 8 }, window: 4000 });
  expect(peer.take()).toHaveLength(10);
  return peer;
}

function acknowledge(peer: ScriptedPeer, ack: number): number[] {
  peer.send({ flags: '.', seq: 1, ack, window: 4000 });
  return peer.take().map(({ seq }) => seq);
}

describe('congestion', () => {
  it('limited transmit: the first two duplicates let one new segment out each (RFC 3042)', () => {
    const peer = sending();
    expect([acknowledge(peer, 1), acknowledge(peer, 1)]).toEqual([[10_001], [11_001]]);
    expect(acknowledge(peer, 1)).toEqual([1]);
  });

  it('halves the window on loss, and comes out of recovery with that half (RFC 5681, 3.2; RFC 6582)', () => {
    const peer = sending();
    for (let duplicate = 0; duplicate < 3; duplicate++) acknowledge(peer, 1);
    const { congestion, recovery } = peer.connection!.sender;
    expect([congestion.window, recovery.active]).toEqual([6000, true]);
    // All that was sent before the loss was noticed.
    acknowledge(peer, 12_001);
    expect([congestion.window, recovery.active]).toEqual([6000, false]);
    expect(peer.connection!.sender.inFlight).toBe(6000);
  });

  it('grows by a segment a window beyond the threshold (RFC 5681, 3.1)', () => {
    const peer = sending();
    for (let duplicate = 0; duplicate < 3; duplicate++) acknowledge(peer, 1);
    acknowledge(peer, 12_001);
    const { sender } = peer.connection!;
    let segments = 0;
    for (let round = 1; round <= 3; round++) {
      const next = sender.next;
      while (sender.una !== next) acknowledge(peer, 12_001 + 1000 * ++segments);
      expect(sender.congestion.window).toBe(6000 + 1000 * round);
    }
  });

  it('a partial acknowledgement shows the next hole, which is filled at once (RFC 6582, 3.2)', () => {
    const peer = sending(10_000);
    // Segments 1 and 4 are lost, and there is no SACK to say so.
    for (let duplicate = 0; duplicate < 2; duplicate++) expect(acknowledge(peer, 1)).toEqual([]);
    expect(acknowledge(peer, 1)).toEqual([1]);
    expect(acknowledge(peer, 3001)).toEqual([3001]);
    expect(acknowledge(peer, 10_001)).toEqual([]);
    expect(peer.stack.tcp.counters.retransmitted).toBe(2);
  });

  it('after a timeout one segment, then slow start over what is not acknowledged (RFC 5681, 3.1; RFC 6298, 5.4)', () => {
    const peer = sending(10_000);
    peer.elapse(1000);
    expect(peer.take().map(({ seq }) => seq)).toEqual([1]);
    expect(acknowledge(peer, 1001)).toEqual([1001, 2001]);
    expect(acknowledge(peer, 3001)).toEqual([3001, 4001, 5001, 6001]);
  });

  it('does not grow a window that was not used (RFC 7661)', () => {
    const peer = new ScriptedPeer({ tcp: PLAIN, outgoing: 'a' });
    peer.establish({ syn: { mss: 1000 } });
    peer.take();
    const before = peer.connection!.sender.congestion.window;
    acknowledge(peer, 2);
    expect(peer.connection!.sender.congestion.window).toBe(before);
  });
});

describe('the retransmission timer', () => {
  it('follows the measured round trip, but not below its minimum (RFC 6298, 2)', () => {
    const peer = sending();
    const { rtt } = peer.connection!.sender;
    expect(rtt.timeout).toBe(1000);
    peer.elapse(100);
    acknowledge(peer, 10_001);
    expect([rtt.smoothed, rtt.timeout]).toEqual([100, 300]); // SRTT + 4 RTTVAR, RTTVAR = R/2
    for (let count = 0; count < 100; count++) rtt.sample(1);
    expect(rtt.timeout).toBe(200);
  });

  it('takes no measurement of a segment that was sent again (Karn; RFC 6298, 3)', () => {
    const peer = sending(1000 * 10);
    const { rtt } = peer.connection!.sender;
    peer.elapse(1000);
    peer.take();
    peer.elapse(500);
    acknowledge(peer, 1001);
    expect(rtt.smoothed).toBe(0);
  });

  it('takes one by timestamps even then, and the back-off ends (RFC 7323, 4)', () => {
    const peer = new ScriptedPeer({ tcp: { sack: false }, outgoing: 'a'.repeat(1000) });
    peer.establish({ syn: { mss: 1400, timestamps: { value: 1000, echo: 0 } } });
    peer.take();
    peer.elapse(1000);
    const [again] = peer.take();
    const { rtt } = peer.connection!.sender;
    expect(rtt.timeout).toBeGreaterThan(500);
    peer.elapse(30);
    peer.send({ flags: '.', seq: 1, ack: 1001, timestamps: [2000, again!.timestamps![0]] });
    expect(rtt.smoothed).toBeGreaterThan(0);
    expect(rtt.timeout).toBeLessThan(500);
  });

  it('is started anew by each acknowledgement of new data (RFC 6298, 5.3)', () => {
    const peer = sending(10_000);
    for (let ack = 1001; ack <= 5001; ack += 1000) {
      peer.elapse(180);
      expect(acknowledge(peer, ack)).toEqual([]);
    }
    expect(peer.stack.tcp.counters.retransmitted).toBe(0);
  });
});

describe('the receiver', () => {
  function receiving(): ScriptedPeer {
    const peer = new ScriptedPeer({ tcp: { timestamps: false } });
    peer.establish({ syn: { sackPermitted: true } });
    return peer;
  }

  it('answers what comes ahead of a gap at once, and what fills it (RFC 5681, 4.2)', () => {
    const peer = receiving();
    peer.send({ flags: '.', seq: 11, ack: 1, payload: 'b'.repeat(10) });
    peer.expect({ flags: '.', ack: 1, sack: [11, 21] });
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'a'.repeat(10) });
    peer.expect({ flags: '.', ack: 21, sack: [] });
  });

  it('reports the block of the latest arrival first (RFC 2018, 4)', () => {
    const peer = receiving();
    for (const seq of [11, 31, 51]) peer.send({ flags: '.', seq, ack: 1, payload: 'x'.repeat(10) });
    peer.take();
    peer.send({ flags: '.', seq: 41, ack: 1, payload: 'x'.repeat(5) });
    expect(peer.expect({ ack: 1 }).sack.slice(0, 2)).toEqual([31, 46]);
  });

  it('puts off the acknowledgement of a small segment, for less than half a second (RFC 1122, 4.2.3.2)', () => {
    const peer = receiving();
    peer.send({ flags: 'P.', seq: 1, ack: 1, payload: 'x' });
    peer.expectNothing();
    peer.elapse(499);
    peer.expect({ flags: '.', ack: 2 });
    peer.expectNothing();
  });

  it('does not scale the window of a SYN (RFC 7323, 2.2)', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: 'S', seq: 0, syn: { windowScale: 7 } });
    peer.expect({ flags: 'S.', window: 65_535 });
  });
});
