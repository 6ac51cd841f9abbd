/** IP and ICMP, packet by packet (RFC 791, 792, 1122, 1812, 4443, 8200): what is answered, what is dropped, and under which count. */
import { describe, expect, it } from 'vitest';
import { IPV4, IPV4_FRAGMENT, PROTOCOL } from '../src/wire/ipv4.ts';
import { Listener, echo, icmp, packet } from './packet-builder.ts';
import type { Packet, Said } from './packet-builder.ts';

const ICMPV6 = { protocol: PROTOCOL.ICMPV6, checksumAt: 2, destination: 'fd00::1' } as const;
const echo6: Packet = { ...ICMPV6, payload: icmp(128, 0, 0x00050009, [1, 2, 3]) };

function udp(destinationPort: number, body: readonly number[] = [1]): Uint8Array {
  const message = new Uint8Array(8 + body.length);
  const view = new DataView(message.buffer);
  view.setUint16(0, 4000);
  view.setUint16(2, destinationPort);
  view.setUint16(4, message.length);
  message.set(body, 8);
  return message;
}

const datagram: Packet = { protocol: PROTOCOL.UDP, payload: udp(9), checksumAt: 6 };

describe('IPv4', () => {
  it('answers an echo request from the address that was asked, payload and all', () => {
    const [reply, ...more] = new Listener().hear(echo([7, 8, 9]));
    expect(more).toEqual([]);
    expect(reply).toMatchObject({ source: '10.0.0.1', destination: '10.0.0.2', kind: [0, 0], ttl: 64 });
    expect(Array.from(reply!.payload.subarray(4))).toEqual([0, 5, 0, 9, 7, 8, 9]);
  });

  it('takes Ethernet padding for no part of the packet', () => {
    const [reply] = new Listener().hear({ ...echo([1]), padding: 17 });
    expect(reply!.payload).toHaveLength(9);
  });

  it('skips options, and refuses source routes', () => {
    const peer = new Listener();
    expect(peer.hear({ ...echo(), options: [1, 1, 1, 0] })).toHaveLength(1);
    expect(peer.hear({ ...echo(), options: [7, 7, 4, 0, 0, 0, 0, 0] })).toHaveLength(1); // record route
    expect(peer.hear({ ...echo(), options: [131, 7, 4, 10, 0, 0, 3, 0] })).toEqual([]);
    expect(peer.hear({ ...echo(), options: [1, 137, 7, 4, 10, 0, 0, 3] })).toEqual([]);
    expect(peer.stack.drops.sourceRoute).toBe(2);
    // An option of length 0 ends the search, not the stack.
    expect(peer.hear({ ...echo(), options: [68, 0, 131, 7] })).toHaveLength(1);
  });

  it('drops headers that lie', () => {
    const peer = new Listener();
    for (const [at, value] of [
      [0, 0x65], // version
      [0, 0x44], // header shorter than a header
      [0, 0x4f], // header longer than the packet
      [3, 10], // packet shorter than its header
      [2, 200], // packet longer than the frame
      [10, 0x55], // checksum
    ] as const) {
      const frame = packet(echo());
      frame.bytes[10 + 14 + at] = value;
      peer.stack.input(frame);
    }
    expect([peer.said, peer.stack.drops.malformed]).toEqual([[], 6]);
  });

  it('believes no source but those of the subnet', () => {
    const peer = new Listener();
    for (const source of ['10.0.0.1', '10.0.1.2', '10.0.0.0', '10.0.0.255', '127.0.0.1', '224.0.0.1', '0.0.0.0'])
      expect(peer.hear({ ...echo(), source })).toEqual([]);
    expect(peer.stack.drops.spoofedSource).toBe(7);
  });

  it('says that time is exceeded to a packet that would go on, quoting it, and serves those for itself', () => {
    const peer = new Listener();
    const [error] = peer.hear({ ...datagram, destination: '192.0.2.1', ttl: 1 });
    expect(error).toMatchObject({ source: '10.0.0.1', kind: [11, 0] });
    expect(error!.payload.subarray(8)).toEqual(
      packet({ ...datagram, destination: '192.0.2.1', ttl: 1 }).bytes.subarray(24),
    );
    expect(peer.hear({ ...echo(), ttl: 1 })).toMatchObject([{ kind: [0, 0] }]);
  });

  it('says which protocol and which port nobody serves', () => {
    const peer = new Listener();
    expect(peer.hear({ protocol: 132, payload: new Uint8Array(12) })).toMatchObject([{ kind: [3, 2] }]);
    expect(peer.hear(datagram)).toMatchObject([{ kind: [3, 3] }]);
    expect(peer.stack.drops.unsupportedProtocol).toBe(1);
  });

  it('quotes no more than fits an error of 576 bytes', () => {
    const payload = udp(9, new Array<number>(1000).fill(1));
    const [error] = new Listener().hear({ ...datagram, payload });
    expect(error!.payload).toHaveLength(576 - 20);
  });

  it('sends no error about an error, a broadcast or a group', () => {
    const peer = new Listener();
    const error = { protocol: PROTOCOL.ICMP, payload: icmp(3, 1, 0, new Uint8Array(28)), checksumAt: 2 };
    expect(peer.hear({ ...error, destination: '192.0.2.1', ttl: 1 })).toEqual([]);
    for (const destination of ['10.0.0.255', '255.255.255.255', '224.0.0.5'])
      expect(peer.hear({ ...datagram, destination })).toEqual([]);
    for (const destination of ['10.0.0.255', '224.0.0.1']) expect(peer.hear({ ...echo(), destination })).toEqual([]);
    expect(peer.stack.icmp.counters.errorsSent).toBe(0);
  });

  it('limits the rate of errors', () => {
    const peer = new Listener();
    let errors = 0;
    for (let count = 0; count < 1000; count++) errors += peer.hear(datagram).length;
    expect(errors).toBe(200);
    expect(peer.stack.drops.icmpRateLimit).toBe(800);
    peer.elapse(500);
    for (let count = 0; count < 1000; count++) errors += peer.hear(datagram).length;
    expect(errors).toBe(300);
  });

  it('puts fragments together in any order, and sends its answer in fragments', () => {
    const peer = new Listener();
    const whole = packet(echo(Uint8Array.from({ length: 4000 }, (_, index) => index))).bytes.subarray(44);
    const cuts = [0, 1480, 2960, whole.length];
    for (const [order, index] of [1, 2, 0].entries()) {
      const payload = whole.subarray(cuts[index], cuts[index + 1]);
      const fragment = cuts[index]! / 8 + (index < 2 ? IPV4_FRAGMENT.MORE : 0);
      const said = peer.hear({ protocol: PROTOCOL.ICMP, payload, fragment });
      if (order < 2) {
        expect(said).toEqual([]);
        continue;
      }
      expect(said.map(({ fragment, payload }) => [fragment, payload.length])).toEqual([
        [0x2000, 1480],
        [0x2000 + 185, 1480],
        [370, 1048],
      ]);
      expect(Buffer.concat(said.map(({ payload }) => payload)).subarray(8)).toEqual(Buffer.from(whole.subarray(8)));
    }
  });

  it('says that the rest of a packet has not come in time, where the first fragment has', () => {
    const peer = new Listener();
    const whole = packet(echo(new Uint8Array(1000))).bytes.subarray(44);
    const first = { protocol: PROTOCOL.ICMP, payload: whole.subarray(0, 504), fragment: IPV4_FRAGMENT.MORE };
    peer.hear({ ...first, destination: '192.0.2.1', identification: 9 });
    peer.hear({ ...first, payload: whole.subarray(504), fragment: 63, identification: 10 });
    peer.hear({ ...first, destination: '10.0.0.255', identification: 11 });
    const said = peer.elapse(31_000).filter(isNoAdvertisement);
    expect(said).toMatchObject([{ source: '192.0.2.1', destination: '10.0.0.2', kind: [11, 1] }]);
    // The fragment's header, with its identification, and what followed.
    expect(said[0]!.payload[8 + IPV4.identification + 1]).toBe(9);
    expect(said[0]!.payload.subarray(8 + IPV4.size)).toEqual(whole.subarray(0, 504));
    expect(peer.elapse(60_000).filter(isNoAdvertisement)).toEqual([]);
  });

  it('a fragment with the same identification but of another protocol does not fit', () => {
    const peer = new Listener();
    const whole = packet(echo(new Uint8Array(1000))).bytes.subarray(44);
    peer.hear({ protocol: PROTOCOL.ICMP, payload: whole.subarray(0, 504), fragment: IPV4_FRAGMENT.MORE });
    expect(peer.hear({ protocol: PROTOCOL.UDP, payload: whole.subarray(504), fragment: 63 })).toEqual([]);
    expect(peer.hear({ protocol: PROTOCOL.ICMP, payload: whole.subarray(504), fragment: 63 })).toHaveLength(1);
  });
});

describe('UDP', () => {
  it('takes a datagram without a checksum over IPv4, and none over IPv6', () => {
    const peer = new Listener();
    const heard: number[] = [];
    peer.stack.udp.onDatagram = (_packet, _from, to) => heard.push(to);
    peer.hear({ protocol: PROTOCOL.UDP, payload: udp(7) });
    peer.hear({ protocol: PROTOCOL.UDP, payload: udp(7), destination: 'fd00::1' });
    peer.hear({ protocol: PROTOCOL.UDP, payload: udp(8), checksumAt: 6, destination: 'fd00::1' });
    expect([heard, peer.stack.drops.badChecksum]).toEqual([[7, 8], 1]);
  });

  it('drops datagrams whose length lies, and takes an empty one', () => {
    const peer = new Listener();
    let count = 0;
    peer.stack.udp.onDatagram = () => count++;
    for (const length of [0, 7, 10, 65_535]) {
      const payload = udp(7);
      new DataView(payload.buffer).setUint16(4, length);
      peer.hear({ protocol: PROTOCOL.UDP, payload });
    }
    peer.hear({ protocol: PROTOCOL.UDP, payload: new Uint8Array(7) });
    expect([count, peer.stack.drops.malformed]).toEqual([0, 5]);
    peer.hear({ protocol: PROTOCOL.UDP, payload: udp(7, []) });
    expect(count).toBe(1);
  });
});

describe('IPv6', () => {
  it('answers an echo request, also behind extension headers', () => {
    const peer = new Listener();
    expect(peer.hear(echo6)).toMatchObject([{ source: 'fd00::1', destination: 'fd00::2', kind: [129, 0] }]);
    const options = [58, 0, 1, 4, 0, 0, 0, 0]; // padding
    for (const protocol of [0, 60]) expect(peer.hear({ ...echo6, protocol, options })).toHaveLength(1);
  });

  it('follows no routing header, nor one that reaches beyond the packet', () => {
    const peer = new Listener();
    expect(peer.hear({ ...echo6, protocol: 43, options: [58, 0, 0, 1, 0, 0, 0, 0] })).toEqual([]);
    expect(peer.hear({ ...echo6, protocol: 0, options: [58, 200, 1, 4, 0, 0, 0, 0] })).toEqual([]);
    expect(peer.stack.drops.malformed).toBe(2);
  });

  it('names the header that it does not know (RFC 4443, 3.4)', () => {
    const peer = new Listener();
    const unknown: Packet = { protocol: 132, payload: new Uint8Array(12), destination: 'fd00::1' };
    const [error] = peer.hear(unknown);
    expect([error!.kind, error!.payload[7]]).toEqual([[4, 1], 6]);
    const behind = peer.hear({ ...unknown, protocol: 60, options: [132, 0, 1, 4, 0, 0, 0, 0] });
    expect([behind[0]!.kind, behind[0]!.payload[7]]).toEqual([[4, 1], 40]);
  });

  it('says that time is exceeded, that a port is closed, and nothing about errors', () => {
    const peer = new Listener();
    const port: Packet = { protocol: PROTOCOL.UDP, payload: udp(9), checksumAt: 6, destination: 'fd00::1' };
    expect(peer.hear(port)).toMatchObject([{ kind: [1, 4] }]);
    expect(peer.hear({ ...port, destination: '2001:db8::1', ttl: 1 })).toMatchObject([{ kind: [3, 0] }]);
    const error = { ...ICMPV6, payload: icmp(1, 0, 0, new Uint8Array(48)), destination: '2001:db8::1', ttl: 1 };
    expect(peer.hear(error)).toEqual([]);
  });

  it('puts fragments together', () => {
    const peer = new Listener();
    const whole = packet(echo6).bytes.subarray(10 + 14 + 40);
    function fragment(offset: number, more: number): number[] {
      return [58, 0, 0, offset | more, 0, 0, 0, 5];
    }
    const first = { protocol: 44, payload: whole.subarray(0, 8), options: fragment(0, 1), destination: 'fd00::1' };
    expect(peer.hear(first)).toEqual([]);
    const last = { protocol: 44, payload: whole.subarray(8), options: fragment(8, 0), destination: 'fd00::1' };
    expect(peer.hear(last)).toMatchObject([{ kind: [129, 0] }]);
    // RFC 8200, 4.5: one that waits in vain is told, but for errors and last fragments.
    const error = { ...first, payload: icmp(1, 0, 0), options: fragment(0, 1) };
    for (const each of [first, { ...last, destination: 'fd00::77' }, { ...error, destination: 'fd00::78' }])
      peer.hear(each);
    expect(peer.elapse(31_000).filter(isNoAdvertisement)).toMatchObject([{ source: 'fd00::1', kind: [3, 1] }]);
  });
});

/** What the stack says as an answer, and not as a router by the clock. */
function isNoAdvertisement({ kind }: Said): boolean {
  return kind[0] !== 134;
}
