/** What a container's traffic to the outside is held to. */

/** One item of `--egress`. */
export interface EgressRule {
  readonly action: 'allow' | 'deny';
  /** A name, with what is below it or not; a subnet or address as text; or everything. */
  readonly target:
    | { readonly kind: 'name'; readonly name: string; readonly below: boolean }
    | { readonly kind: 'subnet'; readonly subnet: string }
    | { readonly kind: 'any' };
  /** First and last port; absent: all. */
  readonly ports?: readonly [first: number, last: number];
  readonly protocol?: 'tcp' | 'udp' | 'icmp';
  /** As the user wrote it. */
  readonly text: string;
}

/** How a line is made worse than it is. */
export interface LinkLimits {
  /** Bits a second, each way. */
  readonly rate?: number;
  /** Milliseconds, each way. */
  readonly delay?: number;
  /** Share of packets that are lost, from 0 to 1, each way. */
  readonly loss?: number;
}

export interface TrafficRules extends LinkLimits {
  readonly egress?: readonly EgressRule[];
}
