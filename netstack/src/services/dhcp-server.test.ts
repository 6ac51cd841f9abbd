import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { IpAddress, Subnet } from '../wire/address.ts';
import { DHCP, DHCP_OPTION, DHCP_TYPE } from '../wire/dhcp.ts';
import { DhcpServer } from './dhcp-server.ts';

const OWN = IpAddress.from('10.0.2.2');

function server(options: Partial<ConstructorParameters<typeof DhcpServer>[0]> = {}): DhcpServer {
  return new DhcpServer({
    subnet: new Subnet(OWN, 24),
    dns: OWN,
    mtu: 1400,
    reserved: () => undefined,
    inUse: () => false,
    ...options,
  });
}

function message(type: number, mac: number, options: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(300);
  bytes.set([1, 1, 6, 0, 9, 9, 9, 9]);
  bytes.set([2, 0, 0, 0, mac >> 8, mac & 0xff], DHCP.clientMac);
  bytes.set([0x63, 0x82, 0x53, 0x63, DHCP_OPTION.TYPE, 1, type, ...options, 255], DHCP.cookie);
  return bytes;
}

function yours(reply: Uint8Array | undefined): string {
  return [...reply!.subarray(DHCP.yourAddress, DHCP.yourAddress + 4)].join('.');
}

function typeOf(reply: Uint8Array | undefined): number | undefined {
  return reply?.[DHCP.options + 2];
}

describe('DhcpServer', () => {
  it('offers and acknowledges the same address, with router, DNS and MTU', () => {
    const dhcp = server();
    const offer = dhcp.handle(message(DHCP_TYPE.DISCOVER, 1));
    expect([typeOf(offer), yours(offer)]).toEqual([DHCP_TYPE.OFFER, '10.0.2.100']);
    const ack = dhcp.handle(message(DHCP_TYPE.REQUEST, 1, [50, 4, 10, 0, 2, 100, 54, 4, 10, 0, 2, 2]));
    expect([typeOf(ack), yours(ack)]).toEqual([DHCP_TYPE.ACK, '10.0.2.100']);
    const text = [...ack!].join(',');
    for (const option of ['3,4,10,0,2,2', '6,4,10,0,2,2', '1,4,255,255,255,0', '26,2,5,120'])
      expect(text).toContain(option);
  });

  it('gives each client its own, and a client its old one again', () => {
    const dhcp = server();
    const first = yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 1)));
    const second = yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 2)));
    expect(second).not.toBe(first);
    expect(yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 1)))).toBe(first);
  });

  it('gives what is reserved, and refuses a wish for something else', () => {
    const dhcp = server({ reserved: () => IpAddress.from('10.0.2.77') });
    expect(yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 1)))).toBe('10.0.2.77');
    expect(typeOf(dhcp.handle(message(DHCP_TYPE.REQUEST, 1, [50, 4, 10, 0, 2, 5])))).toBe(DHCP_TYPE.NAK);
  });

  it('is silent when another server was chosen', () => {
    expect(server().handle(message(DHCP_TYPE.REQUEST, 1, [50, 4, 10, 0, 2, 5, 54, 4, 10, 0, 2, 9]))).toBeUndefined();
  });

  it('does not give out what is in use, declined, or ours', () => {
    const dhcp = server({ inUse: (address) => address.toString() === '10.0.2.100' });
    expect(yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 1)))).toBe('10.0.2.101');
    dhcp.handle(message(DHCP_TYPE.DECLINE, 1, [50, 4, 10, 0, 2, 101]));
    expect(yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 1)))).toBe('10.0.2.102');
    expect(yours(dhcp.handle(message(DHCP_TYPE.DISCOVER, 3, [50, 4, 10, 0, 2, 2])))).not.toBe('10.0.2.2');
  });

  it('says nothing when a small subnet is full', () => {
    const dhcp = server({ subnet: new Subnet(OWN, 29) });
    const given = new Set<string>();
    for (let mac = 1; mac < 20; mac++) {
      const offer = dhcp.handle(message(DHCP_TYPE.DISCOVER, mac));
      if (offer) given.add(yours(offer));
    }
    expect(given.size).toBe(5);
  });

  it('survives anything', () => {
    const random = seededRandom(4);
    const dhcp = server();
    for (let round = 0; round < 5000; round++) {
      const bytes = message(Math.floor(random() * 10), Math.floor(random() * 65_536));
      for (let flips = 0; flips < 5; flips++)
        bytes[DHCP.options + Math.floor(random() * 40)] = Math.floor(random() * 256);
      dhcp.handle(bytes.subarray(0, Math.floor(random() * 301)));
    }
  });
});
