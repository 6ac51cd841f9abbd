/** A published TCP port: connections of the host's peers are opened again towards the container. */
import type { Stack } from '../stack/stack.ts';
import type { Connection } from '../tcp/connection.ts';
import { ERRNO } from '../sys/errno.ts';
import { check, libc } from '../sys/libc.ts';
import { randomBelow } from '../sys/random.ts';
import {
  SOCKET_OPTION,
  acceptSocket,
  bindSocket,
  localEndpoint,
  resetOnClose,
  setOption,
  tcpSocket,
} from '../sys/socket.ts';
import type { Endpoint } from '../sys/socket.ts';
import type { EventLoop, Watch } from './event-loop.ts';
import { HostStream } from './host-stream.ts';
import type { HostTrouble } from './host-trouble.ts';
import type { Translation } from './translation.ts';

const BACKLOG = 4096;
/** Connections taken in one round, so that a flood of them does not starve the others. */
const BATCH = 32;
/** RFC 6335: dynamic ports, for peers whose own can't be used. */
const DYNAMIC = { first: 49_152, last: 65_535 } as const;

export interface PublishContext {
  readonly loop: EventLoop;
  readonly stack: Stack;
  readonly translation: Translation;
  readonly trouble: HostTrouble;
}

export class TcpPublisher {
  readonly bound: Endpoint;
  readonly #context: PublishContext;
  readonly #fd: number;
  readonly #container: Endpoint;
  #watch: Watch | undefined;
  #dynamic = DYNAMIC.first + randomBelow(DYNAMIC.last + 1 - DYNAMIC.first);

  constructor(context: PublishContext, host: Endpoint, container: Endpoint) {
    this.#context = context;
    this.#container = container;
    const fd = check(tcpSocket(host.address.version), 'socket', 'Cannot make a socket to listen on');
    this.#fd = fd;
    try {
      setOption(fd, SOCKET_OPTION.REUSEADDR, 1);
      if (host.address.version === 6) setOption(fd, SOCKET_OPTION.IPV6_V6ONLY, 1);
      bindSocket(fd, host);
      this.bound = localEndpoint(fd);
      check(libc.listen(fd, BACKLOG), 'listen', `Cannot listen on port ${this.bound.port}`);
      this.#watch = context.loop.add(fd, () => this.#accept());
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  close(): void {
    if (!this.#watch) return;
    this.#watch.close();
    this.#watch = undefined;
    libc.close(this.#fd);
  }

  #accept(): void {
    for (let count = 0; count < BATCH && this.#watch; count++) {
      const accepted = acceptSocket(this.#fd);
      if (typeof accepted !== 'number') {
        this.#connect(accepted.fd, accepted.peer);
        continue;
      }
      if (accepted === -ERRNO.EMFILE || accepted === -ERRNO.ENFILE) this.#pause(-accepted);
      if (accepted !== -ERRNO.ECONNABORTED) return;
    }
  }

  #connect(fd: number, peer: Endpoint): void {
    const { stack, translation, loop } = this.#context;
    const { address: remote, port: remotePort } = this.#container;
    const local = translation.inward(peer.address, remote.version);
    function application(connection: Connection): HostStream {
      return new HostStream(loop, fd, connection, false);
    }
    const ports = local.equals(peer.address) ? [peer.port] : [];
    try {
      for (let attempt = 0; attempt < 8; attempt++) {
        const localPort = ports[attempt] ?? this.#nextDynamic();
        if (stack.tcp.connect({ local, localPort, remote, remotePort, application })) return;
      }
    } catch (error) {
      this.#context.trouble.reportError('Cannot watch a connection', error);
    }
    resetOnClose(fd);
    libc.close(fd);
  }

  #nextDynamic(): number {
    this.#dynamic = this.#dynamic >= DYNAMIC.last ? DYNAMIC.first : this.#dynamic + 1;
    return this.#dynamic;
  }

  /** Out of descriptors: the connections wait in the backlog. */
  #pause(error: number): void {
    const { loop, trouble } = this.#context;
    trouble.report('accept', error, 'raise the limit of open files');
    this.#watch?.close();
    loop.schedule(100, () => {
      if (this.#watch) this.#watch = loop.add(this.#fd, () => this.#accept());
    });
  }
}
