/** A TCP peer that says exactly what a test tells it to, facing a real stack; in the manner of packetdrill. */
import { expect } from 'vitest';
import { Frame, HEADROOM, NO_OFFLOADS } from '../src/link/device.ts';
import type { Offloads } from '../src/link/device.ts';
import { seededRandom } from '../src/link/fault-injector.ts';
import { Stack } from '../src/stack/stack.ts';
import { TimerQueue } from '../src/stack/timer-queue.ts';
import type { Connection } from '../src/tcp/connection.ts';
import { advance, distance } from '../src/tcp/sequence.ts';
import type { TcpLimits } from '../src/tcp/tcp-limits.ts';
import { IpAddress, Subnet } from '../src/wire/address.ts';
import { addBytes, finish } from '../src/wire/checksum.ts';
import { ARP, ARP_OPERATION, writeArp } from '../src/wire/arp.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../src/wire/ethernet.ts';
import { IPV4, IPV4_FRAGMENT, PROTOCOL, pseudoHeaderSum, writeIpv4 } from '../src/wire/ipv4.ts';
import { FLAG, Segment, TCP, writeSack, writeSynOptions, writeTimestamps } from '../src/wire/tcp.ts';
import type { SynOptions } from '../src/wire/tcp.ts';
import { TestApplication } from './two-stacks.ts';

const LETTERS = { F: FLAG.FIN, S: FLAG.SYN, R: FLAG.RST, P: FLAG.PSH, '.': FLAG.ACK, U: FLAG.URG } as const;
const IP_AT = HEADROOM + ETHERNET.size;
const TCP_AT = IP_AT + IPV4.size;

/** A segment of the peer. `seq` counts from its own initial number, `ack` from the stack's; SYNs are number 0. */
export interface Line {
  /** Letters as tcpdump prints them: S F R P U, and . for ACK. */
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly payload?: string;
  readonly syn?: Partial<SynOptions>;
  /** Edges, counted from the stack's initial number. */
  readonly sack?: readonly number[];
  readonly timestamps?: readonly [value: number, echo: number];
}

/** What the stack sent. `seq` counts from its own initial number, `ack` and `sack` from the peer's. */
export interface Sent {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly payload: string;
  readonly mss: number;
  readonly windowScale: number;
  readonly sackPermitted: boolean;
  readonly sack: readonly number[];
  readonly timestamps: readonly [number, number] | undefined;
}

export class ScriptedPeer {
  readonly timers = new TimerQueue();
  readonly stack: Stack;
  readonly local = IpAddress.from('10.0.0.1');
  readonly remote = IpAddress.from('10.0.0.2');
  readonly port = 80;
  peerPort = 4000;
  /** The peer's initial sequence number; near the wrap, so that every test crosses it. */
  initial = 0xfffffff0;
  readonly app: TestApplication;
  connection: Connection | undefined;
  /** Whether it has its address: answers ARP. */
  present = true;
  /** Frames that were not TCP. */
  readonly others: Frame[] = [];
  readonly #sent: Sent[] = [];
  #stackInitial: number | undefined;

  constructor(
    options: { tcp?: Partial<TcpLimits>; outgoing?: string; offloads?: Offloads; mtu?: number; accepts?: boolean } = {},
  ) {
    const random = seededRandom(5);
    this.app = new TestApplication(Buffer.from(options.outgoing ?? ''));
    this.app.ends = false;
    this.stack = new Stack({
      device: { offloads: options.offloads ?? NO_OFFLOADS, transmit: (frame) => this.#record(frame) },
      timers: this.timers,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
      mtu: options.mtu ?? 1500,
      subnets: [new Subnet(this.local, 24)],
      random: (bytes) => bytes.forEach((_, at) => (bytes[at] = Math.floor(random() * 256))),
      ...(options.tcp && { tcp: options.tcp }),
    });
    this.stack.tcp.onConnection = (connection) => {
      this.connection = connection;
      this.app.connection = connection;
      connection.app = this.app;
      if (options.accepts ?? true) connection.accept();
    };
  }

  /** Sends a segment to the stack and lets it answer. */
  send(line: Line): void {
    this.sendFrame(this.segment(line));
  }

  sendFrame(frame: Frame): void {
    this.stack.input(frame);
    this.stack.flush();
  }

  /** Lets time pass. */
  elapse(ms: number): void {
    const end = this.timers.now + ms;
    while (this.timers.nextDeadline <= end) {
      this.timers.advance(Math.max(this.timers.now, this.timers.nextDeadline));
      this.stack.flush();
    }
    this.timers.advance(end);
    this.stack.flush();
  }

  /** The next thing that the stack said has to look like this. */
  expect(wanted: Partial<Sent>): Sent {
    const sent = this.#sent.shift();
    expect(sent, 'the stack said nothing').toBeDefined();
    expect(sent).toMatchObject(wanted);
    return sent!;
  }

  expectNothing(): void {
    expect(this.#sent).toEqual([]);
  }

  /** Takes everything that was said so far. */
  take(): Sent[] {
    return this.#sent.splice(0);
  }

  /** Handshake with the peer as client; nothing is left unsaid after it. */
  establish(options: { window?: number; syn?: Partial<SynOptions> } = {}): void {
    this.send({ flags: 'S', seq: 0, window: 65_535, syn: { mss: 1460, ...options.syn } });
    const synAck = this.expect({ flags: 'S.', seq: 0, ack: 1 });
    const timestamps = synAck.timestamps ? ([1001, synAck.timestamps[0]] as const) : undefined;
    this.send({ flags: '.', seq: 1, ack: 1, window: options.window ?? 65_535, ...(timestamps && { timestamps }) });
  }

  /** Active open of the stack. */
  connect(): void {
    this.stack.tcp.connect({
      local: this.local,
      localPort: this.port,
      remote: this.remote,
      remotePort: this.peerPort,
      application: (connection) => {
        this.connection = connection;
        this.app.connection = connection;
        return this.app;
      },
    });
  }

  segment(line: Line): Frame {
    const frame = new Frame(256 + (line.payload?.length ?? 0));
    const { bytes, view } = frame;
    let end = TCP_AT + TCP.size;
    if (line.syn) {
      const { mss = 1460, windowScale, sackPermitted = false, timestamps } = line.syn;
      end = writeSynOptions(view, end, { mss, windowScale, sackPermitted, timestamps });
    }
    if (line.timestamps) end = writeTimestamps(view, end, ...line.timestamps);
    if (line.sack)
      end = writeSack(
        view,
        end,
        line.sack.map((edge) => advance(this.#stackInitial!, edge)),
      );
    view.setUint16(TCP_AT + TCP.sourcePort, this.peerPort);
    view.setUint16(TCP_AT + TCP.destinationPort, this.port);
    view.setUint32(TCP_AT + TCP.sequence, advance(this.initial, line.seq ?? 0));
    const acknowledgment = line.ack === undefined ? 0 : advance(this.#stackInitial ?? 0, line.ack);
    view.setUint32(TCP_AT + TCP.acknowledgment, acknowledgment);
    view.setUint8(TCP_AT + TCP.dataOffset, (end - TCP_AT) << 2);
    view.setUint8(
      TCP_AT + TCP.flags,
      Array.from(line.flags).reduce((flags, letter) => flags | LETTERS[letter as keyof typeof LETTERS], 0),
    );
    view.setUint16(TCP_AT + TCP.window, line.window ?? 65_535);
    const payload = Buffer.from(line.payload ?? '', 'latin1');
    bytes.set(payload, end);
    end += payload.length;
    return this.wrap(frame, PROTOCOL.TCP, end, TCP.checksum);
  }

  /** Puts Ethernet and IP around what stands at the transport's place. */
  wrap(frame: Frame, protocol: number, end: number, checksumAt?: number): Frame {
    const { bytes, view } = frame;
    writeEthernet(bytes, HEADROOM, this.stack.mac, Uint8Array.of(2, 0, 0, 0, 0, 2), ETHER_TYPE.IPV4);
    const addresses = { source: this.remote, destination: this.local };
    writeIpv4(bytes, view, IP_AT, {
      totalLength: end - IP_AT,
      identification: 1,
      fragment: IPV4_FRAGMENT.DONT,
      protocol,
      ...addresses,
    });
    if (checksumAt !== undefined) {
      const pseudo = pseudoHeaderSum(this.remote, this.local, protocol) + end - TCP_AT;
      view.setUint16(TCP_AT + checksumAt, finish(addBytes(pseudo, view, TCP_AT, end)));
    }
    frame.plain(end - HEADROOM);
    return frame;
  }

  #answerArp(): void {
    const frame = new Frame(64);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 2);
    writeEthernet(frame.bytes, HEADROOM, this.stack.mac, mac, ETHER_TYPE.ARP);
    writeArp(frame.bytes, frame.view, HEADROOM + ETHERNET.size, {
      operation: ARP_OPERATION.REPLY,
      senderMac: mac,
      senderAddress: this.remote.bytes,
      targetMac: this.stack.mac,
      targetAddress: this.local.bytes,
    });
    frame.plain(ETHERNET.size + ARP.size);
    this.stack.input(frame);
  }

  #record(frame: Frame): void {
    const { bytes, view } = frame;
    if (
      view.getUint16(HEADROOM + ETHERNET.type) !== ETHER_TYPE.IPV4 ||
      view.getUint8(IP_AT + IPV4.protocol) !== PROTOCOL.TCP
    ) {
      this.others.push(frame.copy());
      if (view.getUint16(HEADROOM + ETHERNET.type) === ETHER_TYPE.ARP && this.present) this.#answerArp();
      return;
    }
    const segment = new Segment();
    expect(segment.parse(bytes, view, TCP_AT, frame.end)).toBe(true);
    if ((segment.flags & FLAG.SYN) !== 0) this.#stackInitial = segment.sequence;
    const flags = Object.entries(LETTERS).map(([letter, bit]) => ((segment.flags & bit) !== 0 ? letter : ''));
    this.#sent.push({
      flags: flags.join(''),
      seq: this.#stackInitial === undefined ? segment.sequence : distance(segment.sequence, this.#stackInitial),
      ack: (segment.flags & FLAG.ACK) !== 0 ? distance(segment.acknowledgment, this.initial) : 0,
      window: segment.window,
      payload: Buffer.from(bytes.subarray(segment.payloadStart, segment.payloadStart + segment.payloadLength)).toString(
        'latin1',
      ),
      mss: segment.mss,
      windowScale: segment.windowScale,
      sackPermitted: segment.sackPermitted,
      sack: Array.from(segment.sack.subarray(0, 2 * segment.sackCount), (edge) => distance(edge, this.initial)),
      timestamps: segment.hasTimestamps ? [segment.timestamp, segment.timestampEcho] : undefined,
    });
  }
}
