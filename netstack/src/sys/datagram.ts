/** Datagrams with more than their bytes: the local address (ip(7), IP_PKTINFO), and ICMP errors about those sent (IP_RECVERR). */
import { IpAddress } from '../wire/address.ts';
import { addressOf, libc } from './libc.ts';
import { MESSAGE, readSocketAddress, writeSocketAddress } from './socket.ts';
import type { Endpoint } from './socket.ts';

/** struct msghdr on 64-bit machines. */
const MSGHDR = {
  size: 56,
  name: 0,
  nameLength: 8,
  vector: 16,
  vectorLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
} as const;
/** struct iovec. */
const IOVEC = { size: 16, base: 0, length: 8 } as const;
/** struct cmsghdr: data follows at 16. */
const CMSGHDR = { length: 0, level: 8, type: 12, data: 16 } as const;
/** struct sock_extended_err. */
const EXTENDED_ERROR = { errno: 0, origin: 4, type: 5, code: 6 } as const;
const ORIGIN = { ICMP: 2, ICMPV6: 3 } as const;
/** struct in_pktinfo: the address that a datagram was sent to, or is to be sent from. struct in6_pktinfo starts with the address. */
const PKTINFO = { size4: 12, localAddress4: 4, destination4: 8, size6: 20 } as const;
const LEVEL = { IP: 0, IPV6: 41 } as const;
const TYPE = { IP_PKTINFO: 8, IP_RECVERR: 11, IPV6_RECVERR: 25, IPV6_PKTINFO: 50 } as const;

const header = new Uint8Array(MSGHDR.size);
const headerView = new DataView(header.buffer);
const vector = new Uint8Array(IOVEC.size);
const vectorView = new DataView(vector.buffer);
const name = new Uint8Array(28);
const control = new Uint8Array(512);
const controlView = new DataView(control.buffer);
const headerAddress = addressOf(header);

function prepare(buffer: number, length: number, nameLength: number, controlLength: number): void {
  headerView.setBigUint64(MSGHDR.name, BigInt(addressOf(name)), true);
  headerView.setUint32(MSGHDR.nameLength, nameLength, true);
  headerView.setBigUint64(MSGHDR.vector, BigInt(addressOf(vector)), true);
  headerView.setBigUint64(MSGHDR.vectorLength, 1n, true);
  headerView.setBigUint64(MSGHDR.control, BigInt(addressOf(control)), true);
  headerView.setBigUint64(MSGHDR.controlLength, BigInt(controlLength), true);
  vectorView.setBigUint64(IOVEC.base, BigInt(buffer), true);
  vectorView.setBigUint64(IOVEC.length, BigInt(length), true);
}

/** Finds a control message; returns where its data starts, or -1. */
function findControl(wanted: (level: number, type: number) => boolean): number {
  const end = Number(headerView.getBigUint64(MSGHDR.controlLength, true));
  let at = 0;
  while (at + CMSGHDR.data <= end) {
    const length = Number(controlView.getBigUint64(at + CMSGHDR.length, true));
    if (wanted(controlView.getInt32(at + CMSGHDR.level, true), controlView.getInt32(at + CMSGHDR.type, true)))
      return at + CMSGHDR.data;
    if (length < CMSGHDR.data) return -1;
    at += (length + 7) & ~7;
  }
  return -1;
}

export interface DatagramError {
  /** Where the datagram was sent to. */
  readonly to: Endpoint;
  readonly errno: number;
  /** ICMP's type and code; undefined for an error of the host itself. */
  readonly icmp: { readonly type: number; readonly code: number } | undefined;
}

/** Takes the next error off the socket's queue. */
export function receiveError(fd: number): DatagramError | undefined {
  prepare(addressOf(control), 0, name.length, control.length);
  if (libc.recvmsg(fd, headerAddress, MESSAGE.ERRQUEUE | MESSAGE.DONTWAIT) < 0) return undefined;
  const at = findControl(
    (level, type) =>
      (level === LEVEL.IP && type === TYPE.IP_RECVERR) || (level === LEVEL.IPV6 && type === TYPE.IPV6_RECVERR),
  );
  if (at < 0) return undefined;
  const origin = control[at + EXTENDED_ERROR.origin];
  const icmp = { type: control[at + EXTENDED_ERROR.type]!, code: control[at + EXTENDED_ERROR.code]! };
  return {
    to: readSocketAddress(name),
    errno: controlView.getUint32(at + EXTENDED_ERROR.errno, true),
    icmp: origin === ORIGIN.ICMP || origin === ORIGIN.ICMPV6 ? icmp : undefined,
  };
}

export interface ReceivedDatagram {
  readonly length: number;
  readonly from: Endpoint;
  /** The address of ours that it was sent to. */
  readonly to: IpAddress | undefined;
}

/** Receives a datagram into bytes[at…] with the address that it was sent to (IP_PKTINFO has to be on). */
export function receiveDatagram(
  fd: number,
  bytes: Uint8Array,
  at: number,
  length: number,
): ReceivedDatagram | undefined {
  prepare(addressOf(bytes) + at, length, name.length, control.length);
  const received = libc.recvmsg(fd, headerAddress, MESSAGE.DONTWAIT);
  if (received < 0) return undefined;
  let to: IpAddress | undefined;
  const at4 = findControl((level, type) => level === LEVEL.IP && type === TYPE.IP_PKTINFO);
  if (at4 >= 0) to = IpAddress.read(control, at4 + PKTINFO.destination4, 4);
  else {
    const at6 = findControl((level, type) => level === LEVEL.IPV6 && type === TYPE.IPV6_PKTINFO);
    if (at6 >= 0) to = IpAddress.read(control, at6, 6);
  }
  return { length: received, from: readSocketAddress(name), to };
}

/** Sends a datagram from the given address of ours. */
export function sendDatagram(
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  to: Endpoint,
  from: IpAddress | undefined,
): number {
  const nameLength = writeSocketAddress(name, 0, to.address, to.port);
  let controlLength = 0;
  if (from) {
    const size = from.version === 4 ? PKTINFO.size4 : PKTINFO.size6;
    control.fill(0, 0, 64);
    controlView.setBigUint64(CMSGHDR.length, BigInt(CMSGHDR.data + size), true);
    controlView.setInt32(CMSGHDR.level, from.version === 4 ? LEVEL.IP : LEVEL.IPV6, true);
    controlView.setInt32(CMSGHDR.type, from.version === 4 ? TYPE.IP_PKTINFO : TYPE.IPV6_PKTINFO, true);
    control.set(from.bytes, CMSGHDR.data + (from.version === 4 ? PKTINFO.localAddress4 : 0));
    controlLength = (CMSGHDR.data + size + 7) & ~7;
  }
  prepare(addressOf(bytes) + start, length, nameLength, controlLength);
  return libc.sendmsg(fd, headerAddress, MESSAGE.DONTWAIT | MESSAGE.NOSIGNAL);
}
