/** What a {@link Gateway} tells of each flow through it. */
export interface FlowInfo {
  readonly protocol: 'tcp' | 'udp';
  readonly container: string;
  readonly containerPort: number;
  /** Who is at the other end, as the container sees it. */
  readonly peer: string;
  readonly peerPort: number;
  /** A connection's state as RFC 9293 (3.3.2) calls it; empty for datagrams. */
  readonly state: string;
  /** Whether it came in by a published port. */
  readonly isInward: boolean;
  /** Bytes of payload that have arrived. */
  readonly fromContainer: number;
  readonly toContainer: number;
}
