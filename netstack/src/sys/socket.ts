/** Sockets by raw system calls: non-blocking, close-on-exec, addresses as {@link IpAddress}. */
import { IpAddress } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import { addressOf, check, errno, libc, systemError } from './libc.ts';
import { ERRNO } from './errno.ts';

const FAMILY = { 4: 2, 6: 10 } as const; // AF_INET, AF_INET6
const TYPE = { STREAM: 1, DATAGRAM: 2 } as const;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO = { ICMP: 1, ICMPV6: 58 } as const;

/** struct sockaddr_in and sockaddr_in6 (netinet/in.h): the family is in host order, the rest in network order. */
const SOCKADDR = { size: 28, family: 0, port: 2, address4: 4, address6: 8, size4: 16, size6: 28 } as const;

export const MESSAGE = { PEEK: 0x2, TRUNC: 0x20, DONTWAIT: 0x40, ERRQUEUE: 0x2000, NOSIGNAL: 0x4000 } as const;
export const SHUT_WR = 1;

/** [level, option] of setsockopt(2). */
export const SOCKET_OPTION = {
  REUSEADDR: [1, 2],
  ERROR: [1, 4],
  SNDBUF: [1, 7],
  RCVBUF: [1, 8],
  LINGER: [1, 13],
  PEEK_OFF: [1, 42],
  TCP_NODELAY: [6, 1],
  IP_PKTINFO: [0, 8],
  IP_RECVERR: [0, 11],
  IP_TTL: [0, 2],
  IPV6_RECVERR: [41, 25],
  IPV6_V6ONLY: [41, 26],
  IPV6_RECVPKTINFO: [41, 49],
} as const;
type SocketOption = (typeof SOCKET_OPTION)[keyof typeof SOCKET_OPTION];

const sockaddr = new Uint8Array(SOCKADDR.size);
const sockaddrView = new DataView(sockaddr.buffer);
const sockaddrAddress = addressOf(sockaddr);
const scratch = new Int32Array(2);
const scratchAddress = addressOf(new Uint8Array(scratch.buffer));
const scratchBytes = new Uint8Array(scratch.buffer);

/** An address and port. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export function tcpSocket(version: IpVersion): number {
  return libc.socket(FAMILY[version], TYPE.STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

export function udpSocket(version: IpVersion): number {
  return libc.socket(FAMILY[version], TYPE.DATAGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/** An unprivileged ICMP echo socket (icmp(7), ping_group_range); -1 with EACCES where the host does not allow them. */
export function pingSocket(version: IpVersion): number {
  return libc.socket(
    FAMILY[version],
    TYPE.DATAGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
    version === 4 ? IPPROTO.ICMP : IPPROTO.ICMPV6,
  );
}

/** Writes a socket address; returns its length. */
export function writeSocketAddress(bytes: Uint8Array, at: number, address: IpAddress, port: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes.fill(0, at, at + SOCKADDR.size);
  view.setUint16(at + SOCKADDR.family, FAMILY[address.version], true);
  view.setUint16(at + SOCKADDR.port, port);
  bytes.set(address.bytes, at + (address.version === 4 ? SOCKADDR.address4 : SOCKADDR.address6));
  return address.version === 4 ? SOCKADDR.size4 : SOCKADDR.size6;
}

export function readSocketAddress(bytes: Uint8Array, at = 0): Endpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint16(at + SOCKADDR.family, true) === FAMILY[6] ? 6 : 4;
  const address = IpAddress.read(bytes, at + (version === 4 ? SOCKADDR.address4 : SOCKADDR.address6), version);
  return { address: address.unmapped, port: view.getUint16(at + SOCKADDR.port) };
}

/** connect(2); 0, or the error number (EINPROGRESS for a TCP socket that is on its way). */
export function connectSocket(fd: number, { address, port }: Endpoint): number {
  const length = writeSocketAddress(sockaddr, 0, address, port);
  return libc.connect(fd, sockaddrAddress, length) === 0 ? 0 : errno();
}

/** bind(2); throws EADDRINUSE, EACCES, EADDRNOTAVAIL. */
export function bindSocket(fd: number, { address, port }: Endpoint): void {
  const length = writeSocketAddress(sockaddr, 0, address, port);
  if (libc.bind(fd, sockaddrAddress, length) === 0) return;
  const hint =
    errno() === ERRNO.EACCES ? ' (ports below net.ipv4.ip_unprivileged_port_start need that sysctl lowered)' : '';
  throw systemError('bind', `Cannot listen on ${formatEndpoint({ address, port })}${hint}`);
}

export function formatEndpoint({ address, port }: Endpoint): string {
  return address.version === 4 ? `${address.toString()}:${port}` : `[${address.toString()}]:${port}`;
}

/** The address that the socket is bound to. */
export function localEndpoint(fd: number): Endpoint {
  scratch[0] = SOCKADDR.size;
  check(
    libc.getsockname(fd, sockaddrAddress, scratchAddress),
    'getsockname',
    `Cannot read the address of socket ${fd}`,
  );
  return readSocketAddress(sockaddr);
}

/** accept4(2): the connection and its peer; or the error number, negative. */
export function acceptSocket(fd: number): { fd: number; peer: Endpoint } | number {
  scratch[0] = SOCKADDR.size;
  const accepted = libc.accept(fd, sockaddrAddress, scratchAddress, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? -errno() : { fd: accepted, peer: readSocketAddress(sockaddr) };
}

/** setsockopt(2) with an int; 0, or the error number. */
export function setOption(fd: number, [level, option]: SocketOption, value: number): number {
  scratch[0] = value;
  return libc.setsockopt(fd, level, option, scratchAddress, 4) === 0 ? 0 : errno();
}

/** Makes close(2) reset the connection. */
export function resetOnClose(fd: number): void {
  const [level, option] = SOCKET_OPTION.LINGER;
  scratch[0] = 1; // struct linger { l_onoff, l_linger }
  scratch[1] = 0;
  libc.setsockopt(fd, level, option, scratchAddress, scratchBytes.length);
}

/** Takes the pending error of a socket: SO_ERROR. */
export function pendingError(fd: number): number {
  const [level, option] = SOCKET_OPTION.ERROR;
  scratch[0] = 0;
  scratch[1] = 4;
  return libc.getsockopt(fd, level, option, scratchAddress, scratchAddress + 4) === 0 ? scratch[0] : errno();
}

/** sendto(2); the number of bytes, or the error number, negative. */
export function sendTo(fd: number, bytes: Uint8Array, start: number, length: number, to: Endpoint): number {
  const size = writeSocketAddress(sockaddr, 0, to.address, to.port);
  const sent = libc.sendto(
    fd,
    addressOf(bytes) + start,
    length,
    MESSAGE.DONTWAIT | MESSAGE.NOSIGNAL,
    sockaddrAddress,
    size,
  );
  return sent < 0 ? -errno() : sent;
}

/** recvfrom(2) into bytes[at…]; the number of bytes, or the error number, negative. Then see {@link lastPeer}. */
export function receiveFrom(fd: number, bytes: Uint8Array, at: number, length: number): number {
  scratch[0] = SOCKADDR.size;
  const received = libc.recvfrom(fd, addressOf(bytes) + at, length, MESSAGE.DONTWAIT, sockaddrAddress, scratchAddress);
  return received < 0 ? -errno() : received;
}

/** Whose datagram {@link receiveFrom} read last. */
export function lastPeer(): Endpoint {
  return readSocketAddress(sockaddr);
}

/** Whether {@link receiveFrom} read from this endpoint, without making objects of it. */
export function lastPeerIs({ address, port }: Endpoint): boolean {
  const six = sockaddrView.getUint16(SOCKADDR.family, true) === FAMILY[6];
  if (sockaddrView.getUint16(SOCKADDR.port) !== port || six !== (address.version === 6)) return false;
  return address.isAt(sockaddrView, six ? SOCKADDR.address6 : SOCKADDR.address4);
}
