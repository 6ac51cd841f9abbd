/** What port scanners send (nmap(1), "port scanning techniques" and its OS probes), against a closed port and an open connection. */
import { describe, expect, it } from 'vitest';
import { FLAG } from '../src/wire/tcp.ts';
import { ScriptedPeer } from './scripted-peer.ts';

describe('a port that nobody serves', () => {
  // RFC 9293, 3.10.7.1: a reset that takes its number from the segment's acknowledgement, else acknowledges the segment.
  for (const [scan, flags, answer] of [
    ['SYN', 'S', { flags: 'R.', ack: 1 }],
    ['NULL', '', { flags: 'R.', ack: 0 }],
    ['FIN', 'F', { flags: 'R.', ack: 1 }],
    ['Xmas', 'FPU', { flags: 'R.', ack: 1 }],
    ['SYN and FIN', 'SF', { flags: 'R.', ack: 2 }],
    ['ACK', '.', { flags: 'R' }],
    ['Maimon', 'F.', { flags: 'R' }],
    ['everything but RST', 'SFPU.', { flags: 'R' }],
  ] as const) {
    it(`${scan}: a reset`, () => {
      const peer = new ScriptedPeer({ accepts: false });
      peer.stack.tcp.onConnection = (connection) => connection.refuse('reset');
      peer.send({ flags, seq: 0 });
      peer.expect(answer);
      peer.expectNothing();
      expect(peer.stack.tcp.size).toBe(0);
    });
  }

  it('RST in any company: silence', () => {
    const peer = new ScriptedPeer({ accepts: false });
    for (const flags of ['R', 'R.', 'SR', 'FR', 'SFRPU.']) peer.send({ flags, seq: 0 });
    peer.expectNothing();
    expect([peer.connection, peer.stack.tcp.size]).toEqual([undefined, 0]);
  });

  it('no port, a header that is too short or too long: dropped and counted', () => {
    const peer = new ScriptedPeer();
    for (const offset of [0, 4, 6]) {
      const frame = peer.segment({ flags: 'S', seq: 0 });
      const at = 10 + 14 + 20;
      frame.bytes[at + 12] = offset << 4;
      // The device vouches for the checksum: what is tried is the header.
      frame.checksum = 2;
      peer.sendFrame(frame);
    }
    peer.expectNothing();
    expect([peer.stack.drops.malformed, peer.stack.tcp.size]).toEqual([3, 0]);
  });

  it('a connection with itself (LAND): the source is not believed', () => {
    const peer = new ScriptedPeer();
    const frame = peer.segment({ flags: 'S', seq: 0 });
    frame.bytes.copyWithin(10 + 14 + 12, 10 + 14 + 16, 10 + 14 + 20);
    frame.checksum = 2;
    peer.sendFrame(frame);
    expect(peer.stack.tcp.size).toBe(0);
    expect(peer.stack.drops.malformed + peer.stack.drops.spoofedSource).toBe(1);
  });
});

describe('a SYN with more than belongs there', () => {
  it('ECN flags are taken for none, and not answered in kind (RFC 3168: not supported)', () => {
    const peer = new ScriptedPeer();
    const frame = peer.segment({ flags: 'S', seq: 0 });
    frame.bytes[10 + 14 + 20 + 13] = FLAG.SYN | 0xc0;
    frame.checksum = 2;
    peer.sendFrame(frame);
    peer.expect({ flags: 'S.' });
    expect(peer.connection?.state).toBe('SYN-RECEIVED');
  });

  it('data with the SYN is not taken, and comes again (RFC 9293, 3.10.7.2 allows to leave it)', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false, sack: false } });
    peer.send({ flags: 'S', seq: 0, payload: 'early' });
    peer.expect({ flags: 'S.', ack: 1 });
    peer.send({ flags: 'P.', seq: 1, ack: 1, payload: 'early' });
    peer.elapse(10);
    expect(Buffer.from(peer.app.bytes).toString()).toBe('early');
  });
});

describe('an established connection', () => {
  function established(): ScriptedPeer {
    const peer = new ScriptedPeer({ tcp: { timestamps: false, sack: false } });
    peer.establish();
    return peer;
  }

  it('NULL, FIN, Xmas without ACK: ignored (RFC 9293, 3.10.7.4, fifth step)', () => {
    const peer = established();
    for (const flags of ['', 'F', 'FPU', 'U', 'P']) peer.send({ flags, seq: 1, payload: 'x' });
    peer.elapse(10);
    peer.expectNothing();
    expect([peer.connection?.state, peer.app.receivedBytes]).toEqual(['ESTABLISHED', 0]);
  });

  it('urgent data is delivered in line', () => {
    const peer = established();
    const frame = peer.segment({ flags: 'P.U', seq: 1, ack: 1, payload: 'now' });
    peer.sendFrame(frame);
    expect(Buffer.from(peer.app.bytes).toString()).toBe('now');
  });

  it('data far outside the window: acknowledged with what is expected, not taken', () => {
    const peer = established();
    for (const seq of [100_000, 0x7fffffff, -100_000]) {
      peer.send({ flags: '.', seq, ack: 1, payload: 'x' });
      peer.expect({ flags: '.', seq: 1, ack: 1 });
    }
    expect(peer.app.receivedBytes).toBe(0);
  });

  it('a window of zero from the start, then data: probed, never overrun', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false, sack: false }, outgoing: 'data' });
    peer.establish({ window: 0 });
    peer.expectNothing();
    peer.elapse(1100);
    expect(peer.take().every(({ payload }) => payload === '')).toBe(true);
    peer.send({ flags: '.', seq: 1, ack: 1, window: 2 });
    peer.expect({ payload: 'da' });
  });
});
