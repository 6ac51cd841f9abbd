/** Who is on the link: ARP (RFC 826, 5227) and neighbour discovery (RFC 4861, 4862, 8106), packet by packet. */
import { describe, expect, it } from 'vitest';
import { Frame, HEADROOM } from '../src/link/device.ts';
import { IpAddress } from '../src/wire/address.ts';
import { ARP, ARP_OPERATION, writeArp } from '../src/wire/arp.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../src/wire/ethernet.ts';
import { PROTOCOL } from '../src/wire/ipv4.ts';
import { ScriptedPeer } from './scripted-peer.ts';
import { Listener, OUR_MAC, THEIR_MAC, icmp } from './packet-builder.ts';
import type { Packet } from './packet-builder.ts';

const LINK_LOCAL = 'fe80::ff:fe00:1';
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;

function solicitation(target: string, more: Partial<Packet> = {}): Packet {
  const link = more.source === '::' ? [] : [1, 1, ...THEIR_MAC];
  return {
    protocol: PROTOCOL.ICMPV6,
    checksumAt: 2,
    ttl: 255,
    destination: 'fd00::1',
    payload: icmp(135, 0, 0, [...IpAddress.from(target).bytes, ...link]),
    ...more,
  };
}

describe('neighbour discovery', () => {
  it('answers solicitations for our addresses alone', () => {
    const peer = new Listener();
    for (const target of ['fd00::1', LINK_LOCAL]) {
      const [answer, ...more] = peer.hear(solicitation(target));
      expect(more).toEqual([]);
      expect(answer).toMatchObject({
        destination: 'fd00::2',
        kind: [136, 0],
        ttl: 255,
        destinationMac: '020000000002',
      });
      expect(answer!.payload[4]).toBe(ROUTER | SOLICITED | OVERRIDE);
      expect(Array.from(answer!.payload.subarray(8))).toEqual([...IpAddress.from(target).bytes, 2, 1, ...OUR_MAC]);
    }
    expect(peer.hear(solicitation('fd00::3'))).toEqual([]);
  });

  it('defends its address against a duplicate, to all, unsolicited', () => {
    const [answer] = new Listener().hear(solicitation('fd00::1', { source: '::', destination: 'ff02::1:ff00:1' }));
    expect(answer).toMatchObject({ destination: 'ff02::1', kind: [136, 0], destinationMac: '333300000001' });
    expect(answer!.payload[4]).toBe(ROUTER | OVERRIDE);
  });

  it('believes nothing that has crossed a router', () => {
    expect(new Listener().hear(solicitation('fd00::1', { ttl: 254 }))).toEqual([]);
  });

  it('advertises itself, its prefix, the MTU and its DNS when asked, and from time to time', () => {
    const peer = new Listener(9000);
    expect(peer.elapse(1)).toHaveLength(1); // the first, unasked
    const [asked] = peer.hear({
      protocol: PROTOCOL.ICMPV6,
      checksumAt: 2,
      ttl: 255,
      source: '::',
      destination: 'ff02::2',
      payload: icmp(133, 0, 0),
    });
    expect(asked).toMatchObject({ source: LINK_LOCAL, destination: 'ff02::1', kind: [134, 0], ttl: 255 });
    const view = new DataView(asked!.payload.buffer);
    expect([view.getUint8(4), view.getUint16(6)]).toEqual([64, 1800]); // hop limit, lifetime
    const options = new Map<number, Uint8Array>();
    for (let at = 16; at < asked!.payload.length; at += 8 * asked!.payload[at + 1]!)
      options.set(asked!.payload[at]!, asked!.payload.slice(at, at + 8 * asked!.payload[at + 1]!));
    expect(Array.from(options.get(1)!.subarray(2))).toEqual(Array.from(OUR_MAC));
    const prefix = options.get(3)!;
    expect([prefix[2], prefix[3], IpAddress.read(prefix, 16, 6).toString()]).toEqual([64, 0xc0, 'fd00::']);
    expect(new DataView(options.get(5)!.buffer).getUint32(4)).toBe(9000);
    expect(IpAddress.read(options.get(25)!, 8, 6).toString()).toBe('fd00::1');
    expect(peer.elapse(200_000)).toMatchObject([{ kind: [134, 0] }]);
  });

  it('asks the solicited-node group for whom it has to reach, three times, and sends what waited on the answer', () => {
    const peer = new Listener();
    peer.elapse(1); // its advertisement
    const path = peer.stack.path(IpAddress.from('fd00::1'), IpAddress.from('fd00::1234:5678'))!;
    peer.stack.udp.send(path, 53, 4000, Uint8Array.of(1));
    const [question] = peer.said.splice(0);
    expect(question).toMatchObject({
      destination: 'ff02::1:ff34:5678',
      kind: [135, 0],
      ttl: 255,
      destinationMac: '3333ff345678',
    });
    expect(peer.elapse(500)).toMatchObject([{ kind: [135, 0] }]);
    const answer = [...IpAddress.from('fd00::1234:5678').bytes, 2, 1, ...THEIR_MAC];
    const said = peer.hear({
      protocol: PROTOCOL.ICMPV6,
      checksumAt: 2,
      ttl: 255,
      source: 'fd00::1234:5678',
      destination: 'fd00::1',
      payload: icmp(136, 0, SOLICITED * 0x1000000, answer),
    });
    expect(said).toMatchObject([{ protocol: PROTOCOL.UDP, destinationMac: '020000000002' }]);
  });

  it('gives up after three questions, and drops what waited', () => {
    const peer = new Listener();
    const path = peer.stack.path(IpAddress.from('fd00::1'), IpAddress.from('fd00::9'))!;
    for (let count = 0; count < 20; count++) peer.stack.udp.send(path, 53, 4000, Uint8Array.of(1));
    peer.elapse(500);
    peer.elapse(500);
    peer.elapse(500);
    expect(path.neighbour.unreachable).toBe(true);
    expect(peer.stack.drops.neighbourUnreachable).toBe(20);
  });
});

function arp(fields: { operation?: number; sender: string; target: string; senderMac?: Uint8Array }): Frame {
  const frame = new Frame(100);
  writeEthernet(frame.bytes, HEADROOM, OUR_MAC, THEIR_MAC, ETHER_TYPE.ARP);
  writeArp(frame.bytes, frame.view, HEADROOM + ETHERNET.size, {
    operation: fields.operation ?? ARP_OPERATION.REQUEST,
    senderMac: fields.senderMac ?? THEIR_MAC,
    senderAddress: IpAddress.from(fields.sender).bytes,
    targetMac: new Uint8Array(6),
    targetAddress: IpAddress.from(fields.target).bytes,
  });
  frame.plain(ETHERNET.size + ARP.size);
  return frame;
}

describe('ARP', () => {
  it('answers for our address, to requests and to probes', () => {
    const peer = new ScriptedPeer();
    for (const sender of ['10.0.0.2', '0.0.0.0']) {
      peer.stack.input(arp({ sender, target: '10.0.0.1' }));
      const reply = peer.others.pop()!;
      const at = HEADROOM + ETHERNET.size;
      expect(reply.view.getUint16(at + ARP.operation)).toBe(ARP_OPERATION.REPLY);
      expect(Array.from(reply.bytes.subarray(at + ARP.senderMac, at + ARP.senderMac + 6))).toEqual(Array.from(OUR_MAC));
      expect(IpAddress.read(reply.bytes, at + ARP.senderAddress, 4).toString()).toBe('10.0.0.1');
    }
    peer.stack.input(arp({ sender: '10.0.0.2', target: '10.0.0.3' }));
    expect(peer.others).toEqual([]);
  });

  it('believes nobody who speaks for another', () => {
    const peer = new ScriptedPeer();
    peer.stack.input(arp({ sender: '10.0.0.2', target: '10.0.0.1', senderMac: Uint8Array.of(2, 0, 0, 0, 0, 3) }));
    peer.stack.input(arp({ sender: '10.0.0.1', target: '10.0.0.1' }));
    peer.stack.input(arp({ operation: ARP_OPERATION.REPLY, sender: '192.0.2.1', target: '10.0.0.1' }));
    expect([peer.others, peer.stack.drops.spoofedSource]).toEqual([[], 3]);
  });
});
