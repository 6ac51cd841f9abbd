/** Limits and times of the TCP layer. Times in ms, sizes in bytes. */
export interface TcpLimits {
  /** Connections at once, TIME-WAIT aside. */
  readonly connections: number;
  /** Connections whose handshake is not done. */
  readonly halfOpen: number;
  /** Connections in TIME-WAIT; beyond it the oldest are forgotten, which RFC 9293 allows a host short of memory. */
  readonly timeWait: number;
  /** Most that a connection may hold for an application that does not take it: its largest receive window. */
  readonly window: number;
  /** What all connections together may hold, both queued and out of order. Beyond it, data is dropped unacknowledged. */
  readonly memory: number;
  /** How long an acknowledgement may wait for data to ride on (RFC 1122, 4.2.3.2: below 500). */
  readonly delayedAck: number;
  /**
   * Twice the maximum segment lifetime. RFC 9293 chooses 2 minutes for the Internet; segments of this link never leave the
   * machine, so they do not live for longer than its queues.
   */
  readonly timeWaitTime: number;
  /** Idle time before the first keepalive probe, time between probes, and probes in vain until the peer counts as gone. */
  readonly keepaliveIdle: number;
  readonly keepaliveInterval: number;
  readonly keepaliveProbes: number;
  /** Retransmissions in vain until a connection is given up: of a SYN, of anything else (RFC 1122, 4.2.3.5). */
  readonly synRetries: number;
  readonly retries: number;
  /** Offer timestamps (RFC 7323) and selective acknowledgement (RFC 2018). */
  readonly timestamps: boolean;
  readonly sack: boolean;
}

export const DEFAULT_TCP_LIMITS: TcpLimits = {
  connections: 16_384,
  halfOpen: 4096,
  timeWait: 8192,
  window: 4 << 20,
  memory: 64 << 20,
  delayedAck: 5,
  timeWaitTime: 2000,
  keepaliveIdle: 2 * 3600 * 1000,
  keepaliveInterval: 75_000,
  keepaliveProbes: 9,
  synRetries: 5,
  retries: 12,
  timestamps: true,
  sack: true,
};
