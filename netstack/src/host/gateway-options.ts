/** What a {@link Gateway} is told, and what it tells: the types of the public API. */
import type { EventLoop } from './event-loop.ts';
import type { IpAddress } from '../wire/address.ts';
import type { DnsPolicy } from '../services/dns-server.ts';
import type { Tap } from '../link/tap.ts';

/** A DNS question of a container, put to the owner of the names before it goes to the host's resolvers. */
export interface Question {
  /** Lower case, without the final dot: `db.internal`, `4.0.88.10.in-addr.arpa`. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'PTR';
}

/** A container's first packet to somewhere. */
export interface OutwardFlow {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly container: IpAddress;
  /** As the container addressed it: the gateway's own address stands for the host. */
  readonly destination: IpAddress;
  /** 0 for icmp. */
  readonly port: number;
}

export interface GatewayOptions {
  readonly loop: EventLoop;
  readonly tap: Tap;
  /** The gateway's own IPv4 address, e.g. `10.88.0.1`. Containers use it as default route, DNS server and DHCP server. */
  readonly address: string;
  /** Length of the subnet's prefix, e.g. 16. */
  readonly prefix: number;
  /** The gateway's MAC address, e.g. `02:00:00:00:00:01`. */
  readonly mac: string;
  /** IP MTU of the link, 576 to 65520. */
  readonly mtu: number;
  /** The gateway's own IPv6 address and prefix length, e.g. `fd00::1` and 64; announced to the link. Default: no IPv6. */
  readonly address6?: string;
  readonly prefix6?: number;
  /** Answers DNS here as well; default: on the gateway's address alone. */
  readonly dnsAddress?: string;
  /** The first address that DHCP hands out to whom none is reserved; default: 100 beyond the subnet's first. */
  readonly dhcpFirst?: string;
  /**
   * Whether containers reach the host's own 127.0.0.1, under the gateway's address. `host.docker.internal` (and
   * `host.containers.internal`, `gateway.docker.internal`) are answered with that address: the one that Docker's `host-gateway`
   * gives, and no address of the subnet has to be kept free for it. Port 53 of it is our DNS.
   */
  readonly hostLoopback: boolean;
  /**
   * Addresses of the resolvers for a container, asked once for each query that is forwarded: return `hostResolvers()` for the host's
   * /etc/resolv.conf, re-read when it changed. Loopback resolvers (127.0.0.53) work: queries leave from the host's namespace.
   */
  readonly resolvers: (from: string) => readonly string[];
  /**
   * Names of containers: the addresses (for PTR: the names) that answer the question, [] for a known name without such a record,
   * undefined when the name is not known here and the host's resolvers are to be asked. `from` is the asking container's address.
   */
  readonly names: (question: Question, from: string) => readonly string[] | undefined;
  /** Which names containers may look up, and what they were told. Default: everything. */
  readonly dns?: DnsPolicy;
  /**
   * Whether a container may open this flow to the outside: asked for each connection, and for each destination of datagrams and
   * echo requests when it is new. What is not admitted is refused as by a firewall that says so. Default: everything.
   */
  readonly admits?: (flow: OutwardFlow) => boolean;
  /** One line about something worth an operator's attention. */
  readonly log: (message: string) => void;
  /** Limits of memory and flows. */
  readonly limits?: Partial<GatewayLimits>;
}

export interface GatewayLimits {
  /** TCP connections at once, half-open ones included. Default 16384. */
  readonly tcpFlows: number;
  /** TCP connections whose handshake is not done. Default 4096. */
  readonly halfOpen: number;
  /** UDP flows at once; the one idle for longest makes room. Default 4096. */
  readonly udpFlows: number;
  /** Receive window for each TCP connection in bytes. Default 4 MiB. */
  readonly window: number;
  /** Bytes from containers that all TCP connections together may hold because the host's sockets are full. Default 64 MiB. */
  readonly queued: number;
}

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
  tcpFlows: 16_384,
  halfOpen: 4096,
  udpFlows: 4096,
  window: 4 << 20,
  queued: 64 << 20,
};

export interface PublishOptions {
  readonly protocol: 'tcp' | 'udp';
  /** Host address to bind: `0.0.0.0`, `127.0.0.1`, `::` (IPv6 only), … */
  readonly hostAddress: string;
  /** Port to bind; 0: any free one. */
  readonly hostPort: number;
  /** IPv4 address of the container, also where `hostAddress` is an IPv6 one. */
  readonly containerAddress: string;
  readonly containerPort: number;
}

export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  /** The port that was bound. */
  readonly hostPort: number;
  /** Stops listening; established connections go on. Repeating it does nothing. */
  close(): void;
}

/** A container that may use an address; see {@link Gateway.admit}. */
export interface Member {
  readonly address: string;
  readonly mac: string;
}

export interface GatewayStats {
  readonly link: { received: number; receivedBytes: number; sent: number; sentBytes: number; sendErrors: number };
  readonly tcp: {
    flows: number;
    halfOpen: number;
    opened: number;
    refused: number;
    reset: number;
    retransmitted: number;
    queuedBytes: number;
  };
  readonly udp: { flows: number; opened: number; fromContainers: number; toContainers: number };
  readonly icmp: { echoes: number; replies: number; unsupported: number };
  readonly dns: { queries: number; answeredLocally: number; forwarded: number; failed: number };
  /** Frames and packets that were dropped, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}
