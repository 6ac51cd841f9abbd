/** RFC 9293, state by state: what the stack answers to a scripted peer. */
import { describe, expect, it } from 'vitest';
import { Frame, HEADROOM } from '../src/link/device.ts';
import { advance } from '../src/tcp/sequence.ts';
import { addBytes, finish } from '../src/wire/checksum.ts';
import { writeIpv4 } from '../src/wire/ipv4.ts';
import { ScriptedPeer } from './scripted-peer.ts';

const PLAIN = { tcp: { timestamps: false, sack: false } };

function established(options: ConstructorParameters<typeof ScriptedPeer>[0] = {}): ScriptedPeer {
  const peer = new ScriptedPeer({ ...PLAIN, ...options });
  peer.establish();
  return peer;
}

describe('passive open', () => {
  it('answers a SYN once the application accepts, with only the options that were offered', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: 'S', seq: 0, syn: { mss: 1400 } });
    peer.expect({
      flags: 'S.',
      seq: 0,
      ack: 1,
      mss: 1460,
      windowScale: -1,
      sackPermitted: false,
      timestamps: undefined,
    });
    expect(peer.connection?.state).toBe('SYN-RECEIVED');
    peer.send({ flags: '.', seq: 1, ack: 1 });
    peer.expectNothing();
    expect([peer.connection?.state, peer.app.isEstablished]).toEqual(['ESTABLISHED', true]);
  });

  it('agrees on window scale, SACK and timestamps when all are offered', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: 'S', seq: 0, syn: { windowScale: 7, sackPermitted: true, timestamps: { value: 77, echo: 0 } } });
    const { timestamps, windowScale } = peer.expect({ flags: 'S.', sackPermitted: true });
    expect([timestamps?.[1], windowScale]).toEqual([77, 7]);
  });

  it('keeps the peer waiting until the application decides, and resets on refusal', () => {
    const peer = new ScriptedPeer({ accepts: false });
    peer.send({ flags: 'S', seq: 0 });
    peer.send({ flags: 'S', seq: 0 });
    peer.expectNothing();
    peer.connection?.refuse('reset');
    peer.expect({ flags: 'R.', ack: 1 });
    expect(peer.stack.tcp.size).toBe(0);
  });

  it('reports an unreachable host by ICMP', () => {
    const peer = new ScriptedPeer({ accepts: false });
    peer.send({ flags: 'S', seq: 0 });
    peer.connection?.refuse('unreachable');
    peer.expectNothing();
    const [icmp] = peer.others;
    expect(icmp?.bytes[10 + 14 + 20]).toBe(3);
    expect(icmp?.bytes[10 + 14 + 20 + 1]).toBe(1);
  });

  it('reports by ICMP as well that no way leads there', () => {
    const peer = new ScriptedPeer({ accepts: false });
    peer.send({ flags: 'S', seq: 0 });
    peer.connection?.refuse('no-route');
    peer.expectNothing();
    expect(Array.from(peer.others[0]!.bytes.subarray(10 + 14 + 20, 10 + 14 + 22))).toEqual([3, 0]);
  });

  it('answers a repeated SYN again', () => {
    const peer = new ScriptedPeer(PLAIN);
    peer.send({ flags: 'S', seq: 0 });
    peer.expect({ flags: 'S.' });
    peer.send({ flags: 'S', seq: 0 });
    peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  });

  it('repeats its SYN with back-off, and gives up', () => {
    const peer = new ScriptedPeer({ tcp: { synRetries: 3 } });
    peer.send({ flags: 'S', seq: 0 });
    peer.take();
    const times: number[] = [];
    for (let tick = 0; tick < 400; tick++) {
      peer.elapse(100);
      if (peer.take().some(({ flags }) => flags === 'S.')) times.push(Math.round(peer.timers.now / 1000));
    }
    expect(times).toEqual([1, 3, 7]);
    expect(peer.app.reason).toBe('timeout');
    expect(peer.stack.tcp.halfOpen).toBe(0);
  });

  it('resets a wrong acknowledgement of its SYN, and stays', () => {
    const peer = new ScriptedPeer(PLAIN);
    peer.send({ flags: 'S', seq: 0 });
    peer.take();
    peer.send({ flags: '.', seq: 1, ack: 500 });
    peer.expect({ flags: 'R', seq: 500 });
    expect(peer.connection?.state).toBe('SYN-RECEIVED');
  });

  it('goes away on a reset in SYN-RECEIVED', () => {
    const peer = new ScriptedPeer(PLAIN);
    peer.send({ flags: 'S', seq: 0 });
    peer.take();
    peer.send({ flags: 'R', seq: 1 });
    peer.expectNothing();
    expect([peer.app.reason, peer.stack.tcp.size]).toEqual(['reset', 0]);
  });

  it('limits half-open connections', () => {
    const peer = new ScriptedPeer({ accepts: false, tcp: { halfOpen: 10 } });
    for (let port = 5000; port < 5100; port++) {
      peer.peerPort = port;
      peer.send({ flags: 'S', seq: 0 });
    }
    expect([peer.stack.tcp.halfOpen, peer.stack.drops.tcpLimit]).toEqual([10, 90]);
  });
});

describe('active open', () => {
  it('sends SYN, takes SYN-ACK, acknowledges', () => {
    const peer = new ScriptedPeer();
    peer.connect();
    peer.expect({ flags: 'S', seq: 0, mss: 1460, sackPermitted: true, windowScale: 7 });
    peer.send({ flags: 'S.', seq: 0, ack: 1, syn: {} });
    peer.expect({ flags: '.', seq: 1, ack: 1 });
    expect(peer.app.isEstablished).toBe(true);
  });

  it('is refused by a reset with the right acknowledgement only', () => {
    const peer = new ScriptedPeer();
    peer.connect();
    peer.take();
    peer.send({ flags: 'R.', seq: 0, ack: 7 });
    expect(peer.connection?.state).toBe('SYN-SENT');
    peer.send({ flags: 'R.', seq: 0, ack: 1 });
    expect([peer.connection?.state, peer.app.reason]).toEqual(['CLOSED', 'reset']);
  });

  it('resets a SYN-ACK of something else', () => {
    const peer = new ScriptedPeer();
    peer.connect();
    peer.take();
    peer.send({ flags: 'S.', seq: 0, ack: 9, syn: {} });
    peer.expect({ flags: 'R', seq: 9 });
  });

  it('opens simultaneously', () => {
    const peer = new ScriptedPeer(PLAIN);
    peer.connect();
    peer.take();
    peer.send({ flags: 'S', seq: 0, syn: {} });
    peer.expect({ flags: 'S.', seq: 0, ack: 1 });
    expect(peer.connection?.state).toBe('SYN-RECEIVED');
    peer.send({ flags: 'S.', seq: 0, ack: 1, syn: {} });
    expect([peer.connection?.state, peer.app.isEstablished]).toEqual(['ESTABLISHED', true]);
  });

  it('gives up early when the neighbour does not answer ARP', () => {
    const peer = new ScriptedPeer();
    peer.present = false;
    peer.connect();
    peer.elapse(4000);
    expect([peer.app.reason, peer.others.length]).toEqual(['unreachable', 3]);
  });
});

describe('data', () => {
  it('acknowledges full segments at once at the beginning, small ones with a delay', () => {
    const peer = established();
    const full = 'f'.repeat(1460);
    let seq = 1;
    for (let index = 0; index < 15; index++) {
      peer.send({ flags: '.', seq, ack: 1, payload: full });
      seq += full.length;
      peer.expect({ flags: '.', ack: seq });
    }
    peer.send({ flags: '.', seq, ack: 1, payload: full });
    seq += full.length;
    peer.expectNothing();
    peer.send({ flags: '.', seq, ack: 1, payload: full });
    seq += full.length;
    peer.expect({ flags: '.', ack: seq });
    peer.send({ flags: 'P.', seq, ack: 1, payload: 'abc' });
    peer.expectNothing();
    peer.elapse(5);
    peer.expect({ flags: '.', ack: seq + 3 });
    expect(peer.app.bytes.toString()).toBe(`${full.repeat(17)}abc`);
  });

  it('acknowledges a long batch before its end, so that the peer goes on meanwhile', () => {
    const peer = new ScriptedPeer(PLAIN);
    peer.establish({ syn: { windowScale: 7 } });
    const payload = 'x'.repeat(60_000);
    // The first acknowledgement announces the whole window.
    peer.send({ flags: '.', seq: 1, ack: 1, payload });
    peer.expect({ flags: '.', ack: 60_001 });
    for (let count = 1; count < 7; count++)
      peer.stack.input(peer.segment({ flags: '.', seq: 1 + count * payload.length, ack: 1, payload }));
    peer.expect({ flags: '.', ack: 360_001 });
    peer.expectNothing();
    peer.stack.flush();
    peer.expect({ flags: '.', ack: 420_001 });
  });

  it('queues what came out of order and reports it', () => {
    const peer = new ScriptedPeer();
    peer.establish({ syn: { sackPermitted: true } });
    peer.send({ flags: '.', seq: 4, ack: 1, payload: 'def' });
    peer.expect({ flags: '.', ack: 1, sack: [4, 7] });
    peer.send({ flags: '.', seq: 10, ack: 1, payload: 'jkl' });
    peer.expect({ flags: '.', ack: 1, sack: [10, 13, 4, 7] });
    peer.send({ flags: '.', seq: 5, ack: 1, payload: 'efghi' });
    peer.expect({ flags: '.', ack: 1, sack: [4, 13] });
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abc' });
    peer.expect({ flags: '.', ack: 13, sack: [] });
    expect(peer.app.bytes.toString()).toBe('abcdefghijkl');
    expect(peer.stack.tcp.memory).toBe(0);
  });

  it('trims what it has already, and what is beyond the window', () => {
    const peer = established();
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abcdef' });
    peer.expectNothing();
    peer.send({ flags: '.', seq: 3, ack: 1, payload: 'cdefgh' });
    peer.expect({ ack: 9 });
    expect(peer.app.bytes.toString()).toBe('abcdefgh');
  });

  it('answers an old segment with an acknowledgement', () => {
    const peer = established();
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abc' });
    peer.take();
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abc' });
    peer.expect({ flags: '.', seq: 1, ack: 4 });
    expect(peer.app.bytes.toString()).toBe('abc');
  });

  it('closes its window as the application stops, never shrinks it, and opens it again', () => {
    const peer = established({ tcp: { timestamps: false, sack: false, window: 6000 } });
    peer.app.appetite = 1000;
    const chunk = 'x'.repeat(1000);
    let edge = 6001;
    for (let seq = 1; seq <= 6001; seq += 1000) {
      peer.send({ flags: '.', seq, ack: 1, payload: chunk });
      const { ack, window } = peer.take().at(-1)!;
      expect(ack + window).toBeGreaterThanOrEqual(edge);
      edge = ack + window;
    }
    expect(edge).toBe(7001);
    peer.send({ flags: '.', seq: 7001, ack: 1, payload: 'y' });
    peer.expect({ ack: 7001, window: 0 });
    peer.app.appetite = Infinity;
    peer.connection?.resume();
    peer.stack.flush();
    peer.expect({ ack: 7001, window: 6000 });
    expect([peer.app.receivedBytes, peer.stack.tcp.memory]).toEqual([7000, 0]);
  });

  it('drops unacknowledged what the memory of all connections has no room for', () => {
    const peer = established({ tcp: { timestamps: false, sack: false, memory: 1500 } });
    peer.app.appetite = 0;
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'x'.repeat(1000) });
    peer.expect({ ack: 1001 });
    peer.send({ flags: '.', seq: 1001, ack: 1, payload: 'x'.repeat(1000) });
    peer.elapse(10);
    expect(peer.take().every(({ ack }) => ack === 1001)).toBe(true);
    expect(peer.stack.drops.tcpMemory).toBe(1);
  });

  it('sends what the window allows, in segments of the peer’s size', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'a'.repeat(3000) });
    peer.establish({ window: 2500, syn: { mss: 1000 } });
    expect(peer.take().map(({ seq, payload }) => [seq, payload.length])).toEqual([
      [1, 1000],
      [1001, 1000],
    ]);
    peer.send({ flags: '.', seq: 1, ack: 2001, window: 2500 });
    expect(peer.take().map(({ seq, payload }) => [seq, payload.length])).toEqual([[2001, 1000]]);
  });

  it('starts with ten segments and grows with each acknowledgement', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'a'.repeat(200_000) });
    peer.establish({ syn: { mss: 1000, windowScale: 8 }, window: 4000 });
    expect(peer.take()).toHaveLength(10);
    peer.send({ flags: '.', seq: 1, ack: 5001, window: 4000 });
    expect(peer.take()).toHaveLength(10);
  });

  it('probes a closed window until it opens', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'abcdef' });
    peer.establish({ window: 0 });
    peer.expectNothing();
    peer.elapse(1000);
    peer.expect({ flags: '.', seq: 0, payload: '' });
    peer.send({ flags: '.', seq: 1, ack: 1, window: 0 });
    for (let probes = 0; probes < 30; probes++) {
      peer.elapse(60_000);
      expect(peer.take().length).toBeGreaterThan(0);
      peer.send({ flags: '.', seq: 1, ack: 1, window: 0 });
    }
    peer.send({ flags: '.', seq: 1, ack: 1, window: 100 });
    peer.expect({ seq: 1, payload: 'abcdef' });
  });
});

describe('loss', () => {
  it('sends again after three duplicate acknowledgements', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'a'.repeat(10_000) });
    peer.establish({ syn: { mss: 1000 } });
    peer.take();
    peer.send({ flags: '.', seq: 1, ack: 1 });
    peer.send({ flags: '.', seq: 1, ack: 1 });
    expect(peer.take().every(({ seq }) => seq > 1)).toBe(true);
    peer.send({ flags: '.', seq: 1, ack: 1 });
    expect(peer.take().map(({ seq }) => seq)).toEqual([1]);
    expect(peer.stack.tcp.counters.retransmitted).toBe(1);
  });

  it('fills the holes that SACK shows, each once', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false }, outgoing: 'a'.repeat(10_000) });
    peer.establish({ syn: { mss: 1000, sackPermitted: true } });
    peer.take();
    peer.send({ flags: '.', seq: 1, ack: 1, sack: [1001, 2001] });
    peer.send({ flags: '.', seq: 1, ack: 1, sack: [3001, 4001, 1001, 2001] });
    peer.send({ flags: '.', seq: 1, ack: 1, sack: [3001, 9001, 1001, 2001] });
    expect(peer.take().map(({ seq }) => seq)).toEqual([1, 2001]);
    peer.send({ flags: '.', seq: 1, ack: 2001, sack: [3001, 9001] });
    expect(peer.take()).toEqual([]);
  });

  it('backs off after a timeout, sends one segment again, and gives up in the end', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false, sack: false, retries: 4 }, outgoing: 'a'.repeat(5000) });
    peer.establish({ syn: { mss: 1000 } });
    peer.take();
    const waits: number[] = [];
    let last = peer.timers.now;
    for (let tick = 0; tick < 1000 && peer.app.reason === undefined; tick++) {
      peer.elapse(50);
      for (const { seq, flags } of peer.take()) {
        expect([1, 5001]).toContain(seq);
        if (flags.includes('R')) continue;
        waits.push(Math.round((peer.timers.now - last) / 1000));
        last = peer.timers.now;
      }
    }
    expect(waits).toEqual([1, 2, 4, 8]);
    expect(peer.app.reason).toBe('timeout');
  });

  it('asks for the peer’s MAC address anew when nothing comes back, and goes on while nobody answers', () => {
    const peer = established({ outgoing: 'data' });
    peer.take();
    peer.present = false;
    peer.elapse(1000);
    expect(peer.others).toHaveLength(0);
    peer.elapse(5000);
    expect(peer.others).toHaveLength(3);
    expect(peer.connection?.path.neighbour.unreachable).toBe(true);
    peer.elapse(10_000);
    expect(peer.app.reason).toBeUndefined();
    peer.take();
    peer.present = true;
    peer.send({ flags: '.', seq: 1, ack: 1 });
    peer.elapse(60_000);
    expect(peer.take().some(({ payload }) => payload === 'data')).toBe(true);
  });

  it('takes back what a peer reneged on', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false }, outgoing: 'a'.repeat(3000) });
    peer.establish({ syn: { mss: 1000, sackPermitted: true } });
    peer.take();
    peer.send({ flags: '.', seq: 1, ack: 1, sack: [1001, 3001] });
    peer.elapse(1000);
    expect(peer.take().map(({ seq }) => seq)).toEqual([1]);
    peer.send({ flags: '.', seq: 1, ack: 1001 });
    peer.elapse(3000);
    expect(peer.take().map(({ seq }) => seq)).toContain(1001);
  });
});

describe('path MTU', () => {
  /** "Fragmentation needed" about a segment with the given sequence number. */
  function tooBig(peer: ScriptedPeer, seq: number, mtu: number): void {
    const frame = new Frame(256);
    const at = HEADROOM + 14 + 20;
    const { view } = frame;
    view.setUint16(at, 0x0304);
    view.setUint16(at + 6, mtu);
    const quoted = {
      totalLength: 1040,
      identification: 1,
      fragment: 0x4000,
      protocol: 6,
      source: peer.local,
      destination: peer.remote,
    };
    writeIpv4(frame.bytes, view, at + 8, quoted);
    view.setUint16(at + 28, peer.port);
    view.setUint16(at + 30, peer.peerPort);
    view.setUint32(at + 32, advance(peer.connection!.sender.una, seq - 1));
    view.setUint16(at + 2, finish(addBytes(0, view, at, at + 36)));
    peer.sendFrame(peer.wrap(frame, 1, at + 36));
  }

  it('shrinks segments of all connections on the path when one is told', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'a'.repeat(3000) });
    peer.establish({ syn: { mss: 1460 } });
    const first = peer.connection!;
    expect(peer.take().map(({ payload }) => payload.length)).toEqual([1460, 1460, 80]);
    peer.peerPort++;
    peer.establish({ syn: { mss: 1460 } });
    peer.take();
    tooBig(peer, 1, 1000);
    expect(peer.take().map(({ payload }) => payload.length)).toEqual([960]);
    first.sender.recovery.timedOut();
    first.pump();
    expect(peer.take().map(({ payload }) => payload.length)).toEqual([960]);
  });

  it('does not believe an error about what is not in flight, nor an absurd MTU', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: 'a'.repeat(3000) });
    peer.establish({ syn: { mss: 1460 } });
    peer.take();
    tooBig(peer, 50_000, 1000);
    expect(peer.connection!.path.mtu).toBe(1500);
    tooBig(peer, 1, 20);
    expect(peer.connection!.path.mtu).toBe(576);
  });
});

describe('closing', () => {
  it('is closed by the peer first: CLOSE-WAIT, LAST-ACK, CLOSED', () => {
    const peer = established();
    peer.send({ flags: 'F.', seq: 1, ack: 1 });
    peer.elapse(5);
    peer.expect({ flags: '.', ack: 2 });
    expect([peer.connection?.state, peer.app.gotEnd]).toEqual(['CLOSE-WAIT', true]);
    peer.app.ends = true;
    peer.connection?.pump();
    peer.expect({ flags: 'F.', seq: 1, ack: 2 });
    expect(peer.connection?.state).toBe('LAST-ACK');
    peer.send({ flags: '.', seq: 2, ack: 2 });
    expect([peer.connection?.state, peer.app.reason, peer.stack.tcp.size]).toEqual(['CLOSED', 'finished', 0]);
  });

  it('sends on after the peer’s FIN: half close', () => {
    const peer = new ScriptedPeer({ ...PLAIN, outgoing: '' });
    peer.establish();
    peer.send({ flags: 'F.', seq: 1, ack: 1 });
    peer.take();
    peer.app.outgoing = Buffer.from('late');
    peer.connection?.pump();
    peer.expect({ flags: 'P.', payload: 'late', ack: 2 });
  });

  it('closes first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, and repeats the last acknowledgement', () => {
    const peer = established();
    peer.app.ends = true;
    peer.connection?.pump();
    peer.expect({ flags: 'F.', seq: 1 });
    expect(peer.connection?.state).toBe('FIN-WAIT-1');
    peer.send({ flags: '.', seq: 1, ack: 2 });
    expect(peer.connection?.state).toBe('FIN-WAIT-2');
    peer.send({ flags: '.', seq: 1, ack: 2, payload: 'more' });
    peer.elapse(5);
    peer.expect({ flags: '.', ack: 5 });
    peer.send({ flags: 'F.', seq: 5, ack: 2 });
    peer.expect({ flags: '.', seq: 2, ack: 6 });
    expect([peer.connection?.state, peer.app.reason, peer.app.bytes.toString()]).toEqual([
      'TIME-WAIT',
      'finished',
      'more',
    ]);
    peer.send({ flags: 'F.', seq: 5, ack: 2 });
    peer.expect({ flags: '.', seq: 2, ack: 6 });
    peer.elapse(2001);
    expect(peer.connection?.state).toBe('CLOSED');
  });

  it('closes simultaneously: CLOSING, TIME-WAIT', () => {
    const peer = established();
    peer.app.ends = true;
    peer.connection?.pump();
    peer.take();
    peer.send({ flags: 'F.', seq: 1, ack: 1 });
    peer.elapse(5);
    peer.expect({ flags: '.', ack: 2 });
    expect(peer.connection?.state).toBe('CLOSING');
    peer.send({ flags: '.', seq: 2, ack: 2 });
    expect(peer.connection?.state).toBe('TIME-WAIT');
  });

  it('takes FIN with data, and FIN ahead of its data', () => {
    const peer = established();
    peer.send({ flags: 'F.', seq: 4, ack: 1, payload: 'def' });
    expect([peer.connection?.state, peer.app.gotEnd]).toEqual(['ESTABLISHED', false]);
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abc' });
    expect([peer.connection?.state, peer.app.gotEnd, peer.app.bytes.toString()]).toEqual([
      'CLOSE-WAIT',
      true,
      'abcdef',
    ]);
    expect(peer.take().at(-1)?.ack).toBe(8);
  });

  it('sends a lost FIN again', () => {
    const peer = established();
    peer.app.ends = true;
    peer.connection?.pump();
    peer.take();
    peer.elapse(1001);
    peer.expect({ flags: 'F.', seq: 1 });
  });

  it('lets the application finish its meal after the connection has ended', () => {
    const peer = established();
    peer.app.appetite = 2;
    peer.app.ends = true;
    peer.send({ flags: 'F.', seq: 1, ack: 1, payload: 'abcdef' });
    peer.connection?.pump();
    peer.send({ flags: '.', seq: 8, ack: 2 });
    expect([peer.connection?.state, peer.app.gotEnd, peer.app.reason]).toEqual(['CLOSED', false, undefined]);
    peer.app.appetite = Infinity;
    peer.connection?.resume();
    expect([peer.app.bytes.toString(), peer.app.gotEnd, peer.app.reason]).toEqual(['abcdef', true, 'finished']);
    expect(peer.stack.tcp.memory).toBe(0);
  });

  it('reopens from TIME-WAIT for a SYN with a higher number only', () => {
    const peer = established();
    peer.app.ends = true;
    peer.connection?.pump();
    peer.send({ flags: 'F.', seq: 1, ack: 2 });
    expect(peer.connection?.state).toBe('TIME-WAIT');
    peer.take();
    const old = peer.connection;
    peer.send({ flags: 'S', seq: 0 });
    expect(peer.connection).toBe(old);
    peer.take();
    peer.initial += 100_000;
    peer.send({ flags: 'S', seq: 0 });
    peer.expect({ flags: 'S.', ack: 1 });
    expect([old?.state, peer.connection === old]).toEqual(['CLOSED', false]);
  });

  it('forgets the oldest of too many in TIME-WAIT', () => {
    const peer = new ScriptedPeer({ tcp: { timestamps: false, sack: false, timeWait: 5 } });
    for (let port = 6000; port < 6020; port++) {
      peer.peerPort = port;
      peer.app.ends = false;
      peer.establish();
      peer.app.ends = true;
      peer.connection?.pump();
      peer.send({ flags: 'F.', seq: 1, ack: 2 });
      peer.take();
    }
    expect(peer.stack.tcp.size).toBe(0);
  });
});

describe('resets and intruders', () => {
  it('believes a reset with the exact number only (RFC 5961)', () => {
    const peer = established();
    peer.send({ flags: 'R', seq: 5 });
    peer.expect({ flags: '.', seq: 1, ack: 1 });
    expect(peer.connection?.state).toBe('ESTABLISHED');
    peer.send({ flags: 'R', seq: 100_000_000 });
    peer.expectNothing();
    peer.send({ flags: 'R', seq: 1 });
    expect([peer.connection?.state, peer.app.reason]).toEqual(['CLOSED', 'reset']);
  });

  it('challenges a SYN in the window (RFC 5961)', () => {
    const peer = established();
    peer.send({ flags: 'S', seq: 10 });
    peer.expect({ flags: '.', ack: 1 });
    expect(peer.connection?.state).toBe('ESTABLISHED');
  });

  it('does not take data with an acknowledgement of what was never sent', () => {
    const peer = established();
    peer.send({ flags: '.', seq: 1, ack: 9999, payload: 'evil' });
    peer.expect({ flags: '.', ack: 1 });
    expect(peer.app.receivedBytes).toBe(0);
  });

  it('ignores data without ACK', () => {
    const peer = established();
    peer.send({ flags: 'P', seq: 1, payload: 'evil' });
    peer.expectNothing();
    expect(peer.app.receivedBytes).toBe(0);
  });

  it('resets segments that belong to nothing, and never a reset', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: '.', seq: 7, ack: 1234 });
    expect(peer.take()).toMatchObject([{ flags: 'R', payload: '' }]);
    peer.send({ flags: 'P', seq: 7, payload: 'abc' });
    peer.expect({ flags: 'R.', ack: 10 });
    peer.send({ flags: 'R', seq: 7 });
    peer.send({ flags: 'R.', seq: 7, ack: 3 });
    peer.expectNothing();
  });

  it('resets when the application aborts', () => {
    const peer = established();
    peer.connection?.abort();
    peer.expect({ flags: 'R.', seq: 1, ack: 1 });
    peer.send({ flags: '.', seq: 1, ack: 1, payload: 'abc' });
    peer.expect({ flags: 'R', seq: 1 });
  });

  it('drops segments with old timestamps (PAWS)', () => {
    const peer = new ScriptedPeer();
    peer.establish({ syn: { timestamps: { value: 1000, echo: 0 } } });
    peer.send({ flags: '.', seq: 1, ack: 1, timestamps: [900, 1], payload: 'old' });
    peer.expect({ flags: '.', ack: 1 });
    peer.send({ flags: '.', seq: 1, ack: 1, timestamps: [1002, 1], payload: 'new' });
    peer.elapse(5);
    const { timestamps } = peer.expect({ flags: '.', ack: 4 });
    expect(timestamps?.[1]).toBe(1002);
    expect(peer.app.bytes.toString()).toBe('new');
  });

  it('notices that a silent peer is gone (keepalive)', () => {
    const peer = established({
      tcp: { timestamps: false, sack: false, keepaliveIdle: 10_000, keepaliveInterval: 1000, keepaliveProbes: 3 },
    });
    peer.elapse(10_001);
    peer.expect({ flags: '.', seq: 0, payload: '' });
    peer.send({ flags: '.', seq: 1, ack: 1 });
    peer.elapse(9000);
    peer.expectNothing();
    peer.elapse(10_000);
    expect(peer.take().at(-1)?.flags).toBe('R.');
    expect(peer.app.reason).toBe('timeout');
  });
});
