/** Floods and many flows: bounded state, and everything is given back. */
import { describe, expect, it } from 'vitest';
import { ScriptedPeer } from './scripted-peer.ts';

/** Ports of the peer for many connections; each has its own application. */
function flood(peer: ScriptedPeer, count: number, each: (index: number) => void): void {
  for (let index = 0; index < count; index++) {
    peer.peerPort = 1024 + (index % 60_000);
    each(index);
  }
}

describe('under attack', () => {
  it('a SYN flood: bounded half-open connections, all gone after the last retry', () => {
    const peer = new ScriptedPeer({ tcp: { halfOpen: 500, synRetries: 2 } });
    flood(peer, 50_000, () => peer.send({ flags: 'S', seq: 0, syn: {} }));
    expect(peer.stack.tcp.halfOpen).toBe(500);
    expect(peer.stack.drops.tcpLimit).toBe(49_500);
    peer.take();
    peer.elapse(20_000);
    expect([peer.stack.tcp.halfOpen, peer.stack.tcp.size, peer.stack.tcp.memory]).toEqual([0, 0, 0]);
    peer.take();
    peer.peerPort = 999;
    peer.establish();
  });

  it('10,000 connections at once, each with data; and none left afterwards', () => {
    const peer = new ScriptedPeer();
    flood(peer, 10_000, () => {
      peer.establish({ syn: { sackPermitted: true } });
      peer.send({ flags: 'P.', seq: 1, ack: 1, payload: 'request' });
    });
    expect(peer.stack.tcp.size).toBe(10_000);
    expect(peer.app.receivedBytes).toBe(70_000);
    peer.elapse(10);
    expect(peer.take()).toHaveLength(10_000);
    flood(peer, 10_000, () => peer.send({ flags: 'R', seq: 8 }));
    expect([peer.stack.tcp.size, peer.stack.tcp.memory, peer.timers.nextDeadline]).toEqual([0, 0, Infinity]);
  });

  it('beyond the limit of connections, new ones wait outside and the old go on', () => {
    const peer = new ScriptedPeer({ tcp: { connections: 100 } });
    flood(peer, 100, () => peer.establish());
    peer.peerPort = 60_000;
    peer.send({ flags: 'S', seq: 0 });
    peer.expectNothing();
    peer.peerPort = 1024 + 99;
    peer.send({ flags: 'P.', seq: 1, ack: 1, payload: 'x' });
    peer.elapse(10);
    peer.expect({ ack: 2 });
  });

  it('readers that read nothing: all connections together hold no more than the memory allowed', () => {
    const memory = 1 << 20;
    const peer = new ScriptedPeer({ tcp: { memory, timestamps: false, sack: false } });
    peer.app.appetite = 0;
    const payload = 'x'.repeat(1400);
    flood(peer, 200, () => {
      peer.establish();
      for (let seq = 1; seq < 14_000; seq += 1400) peer.send({ flags: '.', seq, ack: 1, payload });
      for (let seq = 20_001; seq < 30_000; seq += 1400) peer.send({ flags: '.', seq, ack: 1, payload });
      expect(peer.stack.tcp.memory).toBeLessThanOrEqual(memory);
      peer.take();
    });
    expect(peer.stack.drops.tcpMemory).toBeGreaterThan(0);
    peer.stack.close();
    expect(peer.stack.tcp.memory).toBe(0);
  });
});
