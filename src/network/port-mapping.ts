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

/** Where a mapping listens, as Docker prints it: `0.0.0.0:8080`, `[::1]:8080`. */
export function formatHostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
