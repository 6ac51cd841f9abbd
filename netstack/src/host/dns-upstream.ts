/**
 * Forwards DNS queries to the host's resolvers, in their order, each with a time of its own and the whole list twice, as resolv.conf(5)
 * has it. Over UDP each query has a socket, hence a port, and a random id of its own, and only a connected peer's answer to the same
 * question is taken (RFC 5452).
 */
import type { Timer } from '../stack/timer-queue.ts';
import { IpAddress } from '../wire/address.ts';
import { DNS, answers } from '../wire/dns.ts';
import { ERRNO } from '../sys/errno.ts';
import { addressOf, errno, libc } from '../sys/libc.ts';
import { randomBelow } from '../sys/random.ts';
import { MESSAGE, connectSocket, tcpSocket, udpSocket } from '../sys/socket.ts';
import { EPOLL } from './event-loop.ts';
import type { EventLoop, Watch } from './event-loop.ts';
import type { HostTrouble } from './host-trouble.ts';

const PORT = 53;
const PATIENCE_MS = 2500;
const ROUNDS = 2;
/** Beyond it, queries fail at once: something inside is asking without end. */
const MAX_IN_FLIGHT = 1024;
const BUFFER_SIZE = 65_537;

type Done = (answer: Uint8Array | undefined) => void;

export class DnsUpstream {
  readonly #loop: EventLoop;
  readonly #resolvers: (from: string) => readonly string[];
  readonly #trouble: HostTrouble;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  readonly #exchanges = new Set<Exchange>();

  constructor(loop: EventLoop, resolvers: (from: string) => readonly string[], trouble: HostTrouble) {
    this.#loop = loop;
    this.#resolvers = resolvers;
    this.#trouble = trouble;
  }

  /** Asks for the client with the address `from`, over the transport that it used; `done` is called once. */
  ask(transport: 'udp' | 'tcp', query: Uint8Array, from: string, done: Done): void {
    const servers = this.#resolvers(from)
      .map((text) => IpAddress.parse(text))
      .filter((address) => address !== undefined);
    if (this.#exchanges.size >= MAX_IN_FLIGHT) {
      done(undefined);
      return;
    }
    const attempts = Array.from({ length: ROUNDS }, () => servers).flat();
    this.#attempt(transport, query, attempts, done);
  }

  close(): void {
    for (const exchange of this.#exchanges) exchange.close();
  }

  #attempt(transport: 'udp' | 'tcp', query: Uint8Array, servers: readonly IpAddress[], done: Done): void {
    const [server, ...others] = servers;
    if (!server) {
      done(undefined);
      return;
    }
    const fd = transport === 'udp' ? udpSocket(server.version) : tcpSocket(server.version);
    const error = fd < 0 ? errno() : connectSocket(fd, { address: server, port: PORT });
    if (error !== 0 && error !== ERRNO.EINPROGRESS) {
      if (fd >= 0) libc.close(fd);
      this.#trouble.report(`DNS query to ${server.toString()}`, error);
      this.#attempt(transport, query, others, done);
      return;
    }
    const exchange = new Exchange(this.#loop, fd, transport, query, this.#buffer, (answer) => {
      this.#exchanges.delete(exchange);
      if (answer) done(answer);
      else this.#attempt(transport, query, others, done);
    });
    this.#exchanges.add(exchange);
    exchange.start();
  }
}

/** One query to one server. */
class Exchange {
  readonly #fd: number;
  readonly #transport: 'udp' | 'tcp';
  readonly #query: Uint8Array;
  readonly #message: Uint8Array;
  readonly #id: number;
  readonly #buffer: Uint8Array;
  readonly #done: Done;
  readonly #watch: Watch;
  readonly #timer: Timer;
  #received = new Uint8Array(0);
  #sent = false;
  #open = true;

  constructor(
    loop: EventLoop,
    fd: number,
    transport: 'udp' | 'tcp',
    query: Uint8Array,
    buffer: Uint8Array,
    done: Done,
  ) {
    this.#fd = fd;
    this.#transport = transport;
    this.#query = query;
    this.#id = randomBelow(0x10000);
    this.#buffer = buffer;
    this.#done = done;
    const prefix = transport === 'tcp' ? [query.length >> 8, query.length & 0xff] : [];
    this.#message = Uint8Array.of(...prefix, this.#id >> 8, this.#id & 0xff, ...query.subarray(2));
    this.#timer = loop.schedule(PATIENCE_MS, () => this.#finish(undefined));
    this.#watch = loop.watch(fd, transport === 'tcp' ? EPOLL.OUT : EPOLL.IN, (events) => this.#ready(events));
  }

  start(): void {
    if (this.#transport === 'udp') this.#send();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer.dispose();
    this.#watch.release();
    libc.close(this.#fd);
  }

  #ready(events: number): void {
    if (this.#sent) {
      this.#receive();
      return;
    }
    if ((events & (EPOLL.ERR | EPOLL.HUP)) !== 0) {
      this.#finish(undefined);
      return;
    }
    this.#watch.modify(EPOLL.IN);
    this.#send();
  }

  #send(): void {
    const sent = libc.send(
      this.#fd,
      addressOf(this.#message),
      this.#message.length,
      MESSAGE.DONTWAIT | MESSAGE.NOSIGNAL,
    );
    // A query is far smaller than any socket buffer, so it goes in one piece or not at all.
    if (sent === this.#message.length) this.#sent = true;
    else this.#finish(undefined);
  }

  #receive(): void {
    const count = libc.recv(this.#fd, addressOf(this.#buffer), BUFFER_SIZE, MESSAGE.DONTWAIT);
    if (count < 0) {
      if (errno() !== ERRNO.EAGAIN) this.#finish(undefined);
    } else if (this.#transport === 'udp') this.#consider(this.#buffer.slice(0, count));
    else if (count === 0) this.#finish(undefined);
    else this.#collect(this.#buffer.subarray(0, count));
  }

  #collect(bytes: Uint8Array): void {
    const whole = new Uint8Array(this.#received.length + bytes.length);
    whole.set(this.#received);
    whole.set(bytes, this.#received.length);
    this.#received = whole;
    if (whole.length < 2) return;
    const length = (whole[0]! << 8) | whole[1]!;
    if (whole.length < 2 + length) return;
    this.#consider(whole.slice(2, 2 + length));
    this.#finish(undefined);
  }

  /** Takes the answer if it is one; what is not is ignored, as somebody may be guessing. */
  #consider(answer: Uint8Array): void {
    const id = (answer[DNS.id]! << 8) | answer[DNS.id + 1]!;
    if (id !== this.#id || !answers(this.#query, answer)) return;
    answer.set(this.#query.subarray(0, 2));
    this.#finish(answer);
  }

  #finish(answer: Uint8Array | undefined): void {
    if (!this.#open) return;
    this.close();
    this.#done(answer);
  }
}
