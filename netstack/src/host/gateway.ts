/**
 * The gateway of a network of containers: wires the stack to the TAP on one side and to sockets of the host on the other.
 *
 * One round of the loop: read at most {@link BATCH} frames of the TAP, let the stack take each, then send one acknowledgement for each
 * connection that is owed one. After a small frame the round ends early: it is most likely a request whose answer is ready
 * somewhere, and looking for a further frame would be one system call in vain (measured: 18 % more round trips).
 */
import { DhcpServer } from '../services/dhcp-server.ts';
import { DnsServer } from '../services/dns-server.ts';
import { DnsStream } from '../services/dns-stream.ts';
import { FRAME_CAPACITY, Frame } from '../link/device.ts';
import { LineLimiter } from '../link/line-limiter.ts';
import type { LineLimits } from '../link/shaper.ts';
import type { Tap } from '../link/tap.ts';
import type { IpPacket } from '../stack/packet.ts';
import { Stack } from '../stack/stack.ts';
import type { Connection } from '../tcp/connection.ts';
import { IpAddress, Subnet, formatMac, parseMac } from '../wire/address.ts';
import { truncate } from '../wire/dns.ts';
import { fillRandom } from '../sys/random.ts';
import { DnsUpstream } from './dns-upstream.ts';
import type { Watch } from './event-loop.ts';
import { PingForwarder } from './forward-ping.ts';
import { TcpForwarder } from './forward-tcp.ts';
import { UdpForwarder } from './forward-udp.ts';
import { DEFAULT_GATEWAY_LIMITS } from './gateway-options.ts';
import type {
  GatewayLimits,
  GatewayOptions,
  GatewayStats,
  Member,
  PublishOptions,
  PublishedPort,
  Question,
} from './gateway-options.ts';
import type { FlowInfo } from './flow-list.ts';
import { HostTrouble } from './host-trouble.ts';
import { TcpPublisher } from './publish-tcp.ts';
import type { PublishContext } from './publish-tcp.ts';
import { PublishedFlows, UdpPublisher } from './publish-udp.ts';
import { Translation } from './translation.ts';

const BATCH = 64;
/** Bytes of a frame from which on more of the same are expected. */
const BULK_FRAME = 1400;
const DNS_PORT = 53;
const DHCP_PORT = { server: 67, client: 68 } as const;
/** Names that Docker and podman give the host. */
const HOST_NAMES = new Set(['host.docker.internal', 'host.containers.internal', 'gateway.docker.internal']);
/** How long a connection may be idle until we look whether its container is still there. */
const KEEPALIVE_MS = 15 * 60_000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #stack: Stack;
  readonly #tap: Tap;
  readonly #lines: LineLimiter;
  readonly #watch: Watch;
  readonly #input = new Frame(FRAME_CAPACITY);
  readonly #context: PublishContext;
  readonly #tcp: TcpForwarder;
  readonly #udp: UdpForwarder;
  readonly #ping: PingForwarder;
  readonly #published: PublishedFlows;
  readonly #dns: DnsServer;
  readonly #dnsAddresses: readonly IpAddress[];
  readonly #upstream: DnsUpstream;
  readonly #dhcp: DhcpServer;
  /** MAC -> address, of members. */
  readonly #reserved = new Map<string, IpAddress>();
  readonly #ports = new Set<PublishedPort>();

  /** Starts serving the TAP on the loop. Throws on malformed addresses (ERR_INVALID_ARG_VALUE). */
  constructor(options: GatewayOptions) {
    const { loop, tap } = options;
    this.#options = options;
    this.#tap = tap;
    this.#limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
    const own = new Subnet(addressOfVersion(options.address, 4), options.prefix);
    const subnets = [own];
    if (options.address6 !== undefined)
      subnets.push(new Subnet(addressOfVersion(options.address6, 6), options.prefix6 ?? 64));
    const dnsAddress = options.dnsAddress === undefined ? undefined : IpAddress.from(options.dnsAddress);
    this.#dnsAddresses = [...subnets.map(({ address }) => address), ...(dnsAddress ? [dnsAddress] : [])];
    this.#lines = new LineLimiter(tap, loop.timers, Math.random);
    this.#stack = new Stack({
      device: this.#lines,
      timers: loop.timers,
      mac: macOf(options.mac),
      mtu: options.mtu,
      subnets,
      aliases: dnsAddress ? [dnsAddress] : [],
      random: fillRandom,
      tcp: {
        connections: this.#limits.tcpFlows,
        halfOpen: this.#limits.halfOpen,
        window: this.#limits.window,
        memory: this.#limits.queued,
        keepaliveIdle: KEEPALIVE_MS,
      },
    });
    const stack = this.#stack;
    this.#lines.onFrame = (frame) => stack.input(frame);
    const trouble = new HostTrouble(loop.timers, stack.drops, options.log);
    const translation = new Translation(stack, options.hostLoopback, options.admits);
    this.#context = { loop, stack, translation, trouble };
    this.#tcp = new TcpForwarder(loop, translation, trouble);
    this.#udp = new UdpForwarder({ ...this.#context, maxFlows: this.#limits.udpFlows });
    this.#ping = new PingForwarder(this.#context);
    this.#published = new PublishedFlows(this.#context, this.#limits.udpFlows);
    this.#upstream = new DnsUpstream(loop, options.resolvers, trouble);
    this.#dns = new DnsServer((question, from) => this.#lookUp(question, from), options.dns);
    this.#dhcp = new DhcpServer({
      subnet: own,
      dns: dnsAddress ?? own.address,
      mtu: options.mtu,
      ...(options.dhcpFirst !== undefined && { firstAddress: addressOfVersion(options.dhcpFirst, 4) }),
      reserved: (mac) => this.#reserved.get(formatMac(mac)),
      inUse: (address) => stack.neighbours.isResolved(address),
    });
    stack.tcp.onConnection = (connection) => this.#connection(connection);
    stack.udp.onDatagram = (packet, from, to, start, end) => this.#datagram(packet, from, to, start, end);
    stack.icmp.onEcho = (packet, identifier, sequence, start, end) =>
      this.#ping.forward(packet, identifier, sequence, start, end);
    // A mistake of ours with one frame or socket must not take the others' network away.
    loop.onError ??= (error) =>
      options.log(`Unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    this.#watch = loop.add(tap.fd, () => this.#receive());
    loop.afterEvents(() => stack.flush());
  }

  /**
   * Ties an address to the MAC of its container. From the first call on only members are served: a frame with any other pair
   * of source MAC and address is dropped and counted. Without members, any address of the subnet is, for whoever speaks
   * with it. DHCP gives a member its address. Closing it ends the member's connections, unless it is admitted again before the
   * loop's next round. Throws ERR_INVALID_ARG_VALUE.
   */
  admit(member: Member): { close(): void } {
    const mac = macOf(member.mac);
    const address = this.#containerAddress(member.address);
    const key = formatMac(mac);
    const release = this.#stack.admission.pin(address, mac);
    if (address.version === 4) this.#reserved.set(key, address);
    let open = true;
    return {
      close: () => {
        if (!open) return;
        open = false;
        if (this.#reserved.get(key) === address) this.#reserved.delete(key);
        release();
        this.#options.loop.defer(() => {
          if (!this.#stack.admission.isPinned(address, mac)) this.#forget(address);
        });
      },
    };
  }

  /**
   * Publishes a port. Listens when it returns. Throws Node-shaped errors: EADDRINUSE, EACCES (a privileged port; the message
   * names the sysctl), EADDRNOTAVAIL, ERR_INVALID_ARG_VALUE. The container sees the peer's own address as source, except
   * peers on the host's loopback, in the container's own subnet, or of another IP version: they appear as the gateway.
   */
  publish(options: PublishOptions): PublishedPort {
    const { protocol } = options;
    const host = { address: IpAddress.from(options.hostAddress), port: portOf(options.hostPort) };
    const container = {
      address: this.#containerAddress(options.containerAddress),
      port: portOf(options.containerPort),
    };
    const publisher =
      protocol === 'tcp'
        ? new TcpPublisher(this.#context, host, container)
        : new UdpPublisher(this.#context, this.#published, host, container, this.#udp.counters);
    const port: PublishedPort = {
      protocol,
      hostAddress: options.hostAddress,
      hostPort: publisher.bound.port,
      close: () => {
        publisher.close();
        this.#ports.delete(port);
      },
    };
    this.#ports.add(port);
    return port;
  }

  /**
   * Holds everything between us and the container with this MAC address to these limits, each way, from now on; undefined lifts
   * them. Throws ERR_INVALID_ARG_VALUE.
   */
  limit(mac: string, limits: LineLimits | undefined): void {
    this.#lines.limit(macOf(mac), limits);
  }

  /** The flows that are open now, at most `limit` of them. */
  flows(limit: number): FlowInfo[] {
    const found: FlowInfo[] = [];
    for (const list of [this.#tcpFlows(), this.#udp.list(), this.#published.list()]) {
      for (const flow of list) {
        if (found.length >= limit) return found;
        found.push(flow);
      }
    }
    return found;
  }

  stats(): GatewayStats {
    const { tcp, icmp, drops } = this.#stack;
    return {
      link: { ...this.#tap.counters },
      tcp: { flows: tcp.size, halfOpen: tcp.halfOpen, ...tcp.counters, queuedBytes: tcp.memory },
      udp: { flows: this.#udp.size + this.#published.size, ...this.#udp.counters },
      icmp: { echoes: icmp.counters.echoes, ...this.#ping.counters },
      dns: { ...this.#dns.counters },
      dropped: { ...drops },
    };
  }

  /** Stops serving: closes all sockets, drops all flows. The TAP stays open. */
  close(): void {
    this.#watch.close();
    this.#lines.close();
    for (const port of [...this.#ports]) port.close();
    this.#stack.close();
    this.#udp.close();
    this.#ping.close();
    this.#upstream.close();
  }

  /** Nothing of a container that is gone may reach the next one with its address. */
  #forget(address: IpAddress): void {
    this.#stack.tcp.forget(address);
    this.#udp.forget(address);
    this.#published.forget(address);
    this.#ping.forget(address);
  }

  *#tcpFlows(): Generator<FlowInfo> {
    for (const connection of this.#stack.tcp.connections) {
      yield {
        protocol: 'tcp',
        container: connection.remote.toString(),
        containerPort: connection.remotePort,
        peer: connection.local.toString(),
        peerPort: connection.localPort,
        state: connection.state,
        isInward: connection.active,
        fromContainer: connection.receiver.receivedBytes,
        toContainer: connection.sender.acknowledgedBytes,
      };
    }
  }

  #receive(): void {
    const frame = this.#input;
    for (let count = 0; count < BATCH && this.#tap.receive(frame); count++) {
      this.#lines.receive(frame);
      if (frame.end < BULK_FRAME) return;
    }
  }

  #connection(connection: Connection): void {
    if (connection.localPort === DNS_PORT && this.#isDns(connection.local)) {
      const from = connection.remote.toString();
      connection.app = new DnsStream(connection, (query, respond) =>
        this.#dns.handle(query, from, (message, done) => this.#upstream.ask('tcp', message, from, done), respond),
      );
      connection.accept();
    } else this.#tcp.forward(connection);
  }

  #datagram(packet: IpPacket, sourcePort: number, destinationPort: number, start: number, end: number): void {
    if (destinationPort === DHCP_PORT.server && (packet.multicast || this.#stack.isLocalAt(packet))) {
      this.#answerDhcp(packet.bytes.slice(start, end));
    } else if (packet.multicast) this.#stack.drops.noRoute++;
    else if (destinationPort === DNS_PORT && this.#stack.isLocalAt(packet) && this.#isDns(packet.destination())) {
      this.#answerDns(packet, sourcePort, packet.bytes.slice(start, end));
    } else if (!this.#published.answer(packet, sourcePort, destinationPort, start, end)) {
      this.#udp.forward(packet, sourcePort, destinationPort, start, end);
    }
  }

  #answerDns(packet: IpPacket, port: number, query: Uint8Array): void {
    const container = packet.source();
    const path = this.#stack.path(packet.destination(), container);
    if (!path) return;
    const from = container.toString();
    this.#dns.handle(
      query,
      from,
      (message, done) => this.#upstream.ask('udp', message, from, done),
      (answer, size) => this.#stack.udp.send(path, DNS_PORT, port, truncate(answer, size)),
    );
  }

  #answerDhcp(message: Uint8Array): void {
    const reply = this.#dhcp.handle(message);
    if (!reply) return;
    const path = this.#stack.broadcastPath(this.#stack.subnets[0]!.address);
    this.#stack.udp.send(path, DHCP_PORT.server, DHCP_PORT.client, reply);
  }

  #isDns(address: IpAddress): boolean {
    return this.#dnsAddresses.some((own) => own.equals(address));
  }

  #lookUp(question: Question, from: string): readonly string[] | undefined {
    const told = this.#options.names(question, from);
    if (told || !HOST_NAMES.has(question.name)) return told;
    // Servers of the host listen on 127.0.0.1 far more often than on ::1, and many clients try the first address alone.
    return question.type === 'A' ? [this.#options.address] : [];
  }

  #containerAddress(text: string): IpAddress {
    const address = IpAddress.from(text);
    if (this.#stack.admission.isAssignable(address)) return address;
    throw invalid(`${text} can't be a container's address in ${this.#options.address}/${this.#options.prefix}`);
  }
}

function addressOfVersion(text: string, version: 4 | 6): IpAddress {
  const address = IpAddress.from(text);
  if (address.version === version) return address;
  throw invalid(`Not an IPv${version} address: ${text}`);
}

function macOf(text: string): Uint8Array {
  const mac = parseMac(text);
  if (mac && (mac[0]! & 1) === 0) return mac;
  throw invalid(`Not a MAC address of a single interface: ${text}`);
}

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port;
  throw invalid(`Not a port: ${port}`);
}

function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}
