/** Published ports: Docker's `-p` notation, and what it means. */
import { isIP } from 'node:net';

/** A port of the container that the host passes on to it. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp';
  /** Address of the host to listen on. Absent: all of IPv4 and IPv6. */
  readonly hostAddress?: string;
  /** Port of the host; 0: any free one. */
  readonly hostPort: number;
  /** Last port to try, from hostPort upward, when more than one will do. */
  readonly hostPortEnd?: number;
  readonly containerPort: number;
}

/** A port as it was bound: `hostPort` is what the host listens on. */
export interface BoundPort {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads `[address:]hostPort:containerPort[/protocol]`, `[address::]containerPort[/protocol]`, with ranges `a-b` of equal
 * length on both sides, or a range on the host for a single container port. Throws with Docker's words.
 */
export function parsePortMappings(text: string): PortMapping[] {
  const [ports = '', protocol = 'tcp', ...rest] = text.split('/');
  if (rest.length > 0 || (protocol.toLowerCase() !== 'tcp' && protocol.toLowerCase() !== 'udp')) {
    throw invalid(`invalid proto: ${[protocol, ...rest].join('/')}`);
  }
  const { address, host, container } = splitPorts(ports);
  if (container === '') throw invalid(`no port specified: ${text}<empty>`);
  if (address !== '' && isIP(address) === 0) throw invalid(`invalid IP address: ${address}`);
  const inside = parseRange(container);
  if (inside === undefined || inside.first === 0) throw invalid(`invalid containerPort: ${container}`);
  const outside = host === '' ? undefined : parseRange(host);
  if (host !== '' && outside === undefined) throw invalid(`invalid hostPort: ${host}`);
  const count = inside.last - inside.first + 1;
  if (outside !== undefined && count > 1 && outside.last - outside.first + 1 !== count) {
    throw invalid(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  return Array.from({ length: count }, (_, i) => ({
    protocol: protocol.toLowerCase() as 'tcp' | 'udp',
    ...(address === '' ? {} : { hostAddress: address }),
    hostPort: outside === undefined ? 0 : outside.first + i,
    ...(outside !== undefined && count === 1 && outside.last > outside.first ? { hostPortEnd: outside.last } : {}),
    containerPort: inside.first + i,
  }));
}

/** From the right: the container's port, the host's, the rest is an address, in brackets where it is IPv6. */
function splitPorts(text: string): { address: string; host: string; container: string } {
  const parts = text.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  const address = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  return { address, host, container };
}

function parseRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

function invalid(message: string): Error {
  return Object.assign(new Error(message), { code: 'INVALID' });
}

/** Where a mapping listens, as Docker prints it: `0.0.0.0:8080`, `[::1]:8080`. */
export function formatHostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
