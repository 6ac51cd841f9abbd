/** Whatever arrives, the stack neither throws nor grows. */
import { describe, expect, it } from 'vitest';
import { FRAME_CAPACITY, Frame, HEADROOM } from '../src/link/device.ts';
import { seededRandom } from '../src/link/fault-injector.ts';
import { Segment } from '../src/wire/tcp.ts';
import { ScriptedPeer } from './scripted-peer.ts';
import type { Line } from './scripted-peer.ts';
import { twoStacks } from './two-stacks.ts';

const FLAGS = ['S', 'S.', '.', 'P.', 'F.', 'R', 'R.', 'SF', 'SR', 'FPU', '', 'SFRPU.', 'P'];

/** A number that is near the connection's, most of the time. */
function near(random: () => number): number {
  return Math.floor(random() * (random() < 0.8 ? 3000 : 2 ** 32));
}

describe('garbage', () => {
  it('random frames, with a likely Ethernet header', () => {
    const random = seededRandom(21);
    const { left } = twoStacks();
    const six = twoStacks({ ipv6: true }).left;
    const frame = new Frame(FRAME_CAPACITY);
    for (let round = 0; round < 30_000; round++) {
      const length = Math.floor(random() * 120);
      for (let at = 0; at < length; at++) frame.bytes[HEADROOM + at] = Math.floor(random() * 256);
      frame.bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], HEADROOM);
      if (round % 3 === 1) frame.bytes[HEADROOM + 13] = 6;
      if (round % 3 === 2) frame.bytes.set([0x86, 0xdd, 0x60], HEADROOM + 12);
      frame.plain(length);
      left.input(frame);
      six.input(frame);
    }
    expect(left.drops.malformed).toBeGreaterThan(5000);
  });

  it('valid segments with any flags, numbers and options, against a connection', () => {
    const random = seededRandom(22);
    for (let round = 0; round < 300; round++) {
      const peer = new ScriptedPeer({ outgoing: 'x'.repeat(5000) });
      peer.establish({ syn: { sackPermitted: true, windowScale: 3 } });
      for (let step = 0; step < 40; step++) {
        const line: Line = {
          flags: FLAGS[Math.floor(random() * FLAGS.length)]!,
          seq: near(random),
          ack: near(random),
          window: Math.floor(random() * 65_536),
          payload: 'y'.repeat(Math.floor(random() * 200)),
          ...(random() < 0.3 && { sack: [near(random), near(random)] }),
        };
        peer.send(line);
        peer.elapse(random() * 300);
      }
      peer.take();
      expect(peer.stack.tcp.memory).toBeGreaterThanOrEqual(0);
      peer.stack.close();
      expect([peer.stack.tcp.memory, peer.stack.tcp.size, peer.stack.tcp.halfOpen]).toEqual([0, 0, 0]);
    }
  });

  it('damaged options', () => {
    const random = seededRandom(23);
    const segment = new Segment();
    for (let round = 0; round < 30_000; round++) {
      const bytes = Uint8Array.from({ length: 20 + Math.floor(random() * 44) }, () =>
        Math.floor(random() * (random() < 0.5 ? 10 : 256)),
      );
      bytes[12] = Math.floor(random() * 16) << 4;
      if (segment.parse(bytes, new DataView(bytes.buffer), 0, bytes.length))
        expect(segment.payloadLength).toBeGreaterThanOrEqual(0);
    }
  });

  it('frames damaged on the way: none is taken for data', () => {
    const random = seededRandom(24);
    const peer = new ScriptedPeer({ tcp: { timestamps: false } });
    peer.establish();
    for (let round = 0; round < 3000; round++) {
      const frame = peer.segment({ flags: '.', seq: 1, ack: 1, payload: 'a good payload' });
      const at = HEADROOM + 14 + 20 + Math.floor(random() * (frame.end - HEADROOM - 34));
      frame.bytes[at] = frame.bytes[at]! ^ (1 << Math.floor(random() * 8));
      peer.sendFrame(frame);
    }
    expect([peer.app.receivedBytes, peer.stack.drops.badChecksum]).toEqual([0, 3000]);
  });
});
