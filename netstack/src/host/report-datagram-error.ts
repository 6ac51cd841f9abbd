/** Passes an ICMP error that a socket of the host got on to the container whose datagram it is about. */
import type { Path } from '../stack/path.ts';
import type { Stack } from '../stack/stack.ts';
import { IPV4, PROTOCOL, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6, writeIpv6 } from '../wire/ipv6.ts';
import { UDP } from '../wire/udp.ts';
import type { DatagramError } from '../sys/datagram.ts';

/** `path` leads to the container, from the address that it sent to; `port` is the container's. */
export function reportDatagramError(stack: Stack, path: Path, error: DatagramError, port: number): void {
  if (!error.icmp) return;
  const { type, code } = error.icmp;
  const header = path.version === 4 ? IPV4.size : IPV6.size;
  const quote = new Uint8Array(header + UDP.size);
  const view = new DataView(quote.buffer);
  const ends = { source: path.remote, destination: path.local };
  if (path.version === 4) {
    writeIpv4(quote, view, 0, {
      totalLength: header + UDP.size,
      identification: 0,
      fragment: 0,
      protocol: PROTOCOL.UDP,
      ...ends,
    });
  } else writeIpv6(quote, view, 0, { payloadLength: UDP.size, nextHeader: PROTOCOL.UDP, hopLimit: 64, ...ends });
  view.setUint16(header + UDP.sourcePort, port);
  view.setUint16(header + UDP.destinationPort, error.to.port);
  view.setUint16(header + UDP.length, UDP.size);
  stack.icmp.send(path, type, code, 0, quote);
}
