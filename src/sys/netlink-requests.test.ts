import { expect, test } from 'vitest';
import { decodeAttributes, decodeStruct } from './netlink-attributes.ts';
import { ifinfomsg, linkAttributes, vethAttributes } from './netlink-messages.ts';
import {
  addAddress,
  addDefaultRoute,
  changeLink,
  createBridge,
  createVeth,
  decodeLink,
  deleteLink,
  isolatePort,
} from './netlink-requests.ts';

/** What `strace -e write` shows of iproute2 6.1's messages, without the struct nlmsghdr in front. */
const captured = {
  /** ip link add name v7 mtu 1500 up master #2 type veth peer name eth0 address 02:42:0a:58:00:02 mtu 1500 netns 32156 */
  veth: `00000000 00000000 01000000 01000000  08000400 dc050000 08000a00 02000000
         07000300 76370000 4c001200 08000100 76657468 40000200 3c000100 00000000
         00000000 00000000 00000000 0a000100 02420a58 00020000 08000400 dc050000
         08001300 9c7d0000 09000300 65746830 00000000`,
  /** ip addr add 10.88.0.2/16 brd + dev #2 */
  address: '02100000 02000000 08000200 0a580002 08000100 0a580002 08000400 0a58ffff',
  /** ip route add default via 10.88.0.1 */
  route: '02000000 fe030001 00000000 08000500 0a580001',
  /** ip link set #3 type bridge_slave isolated on: the port's data */
  isolated: '0c000500 05002100 01000000',
};

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replace(/\s/g, ''), 'hex');
}

test('an address and a route are byte for byte what iproute2 sends', () => {
  expect(addAddress(2, Buffer.from([10, 88, 0, 2]), 16).body).toEqual(bytes(captured.address));
  expect(addDefaultRoute(Buffer.from([10, 88, 0, 1])).body).toEqual(bytes(captured.route));
});

test('the broadcast address follows the prefix', () => {
  function broadcast(address: number[], prefix: number): string {
    return addAddress(1, Buffer.from(address), prefix).body.subarray(-4).join('.');
  }
  expect(broadcast([10, 1, 2, 3], 20)).toBe('10.1.15.255');
  expect(broadcast([10, 1, 2, 3], 32)).toBe('10.1.2.3');
  expect(broadcast([10, 1, 2, 3], 8)).toBe('10.255.255.255');
});

test('a veth pair says the same as iproute2, whose order and string padding differ', () => {
  const ours = createVeth(
    'v7',
    { up: true, mtu: 1500, master: 2 },
    {
      name: 'eth0',
      mac: Buffer.from('02420a580002', 'hex'),
      mtu: 1500,
      netNs: { pid: 32156 },
    },
  ).body;
  expect(link(ours)).toEqual(link(bytes(captured.veth)));
});

/** A link message as objects, the peer of a veth included. */
function link(body: Buffer): unknown {
  const attributes = decodeAttributes(linkAttributes, body.subarray(ifinfomsg.size));
  const peer = Buffer.from(decodeAttributes(vethAttributes, Buffer.from(attributes.info?.data ?? [])).peer ?? []);
  return {
    header: decodeStruct(ifinfomsg, body),
    ...attributes,
    info: attributes.info?.kind,
    peer: {
      header: decodeStruct(ifinfomsg, peer),
      ...decodeAttributes(linkAttributes, peer.subarray(ifinfomsg.size)),
    },
  };
}

test('an isolated port carries the kernel its own attribute', () => {
  expect(isolatePort('v7', true).body.includes(bytes(captured.isolated))).toBe(true);
});

test('up is changed only when asked for', () => {
  expect(decodeStruct(ifinfomsg, changeLink('v7', { mtu: 9000 }).body)).toMatchObject({ flags: 0, change: 0 });
  expect(decodeStruct(ifinfomsg, changeLink('v7', { up: true }).body)).toMatchObject({ flags: 1, change: 1 });
  expect(decodeStruct(ifinfomsg, changeLink('v7', { up: false }).body)).toMatchObject({ flags: 0, change: 1 });
});

test('a link is read back as it was asked for', () => {
  expect(decodeLink(createBridge('trun0', { mtu: 1500, up: true }).body)).toMatchObject({
    name: 'trun0',
    kind: 'bridge',
    mtu: 1500,
    up: true,
    master: 0,
  });
});

test('a reply that is cut short is no link, and cut attributes are left out', () => {
  expect(decodeLink(Buffer.alloc(8))).toBeUndefined();
  const whole = createBridge('trun0', { mtu: 1500 }).body;
  for (let length = ifinfomsg.size; length < whole.length; length++) {
    expect(() => decodeLink(whole.subarray(0, length))).not.toThrow();
  }
  const endless = Buffer.concat([Buffer.alloc(ifinfomsg.size), Buffer.from([0, 0, 3, 0])]);
  expect(decodeLink(endless)?.name).toBe('');
});

test('removing a link that is gone succeeds', () => {
  expect(deleteLink('v7').tolerated).toContain('ENODEV');
});
