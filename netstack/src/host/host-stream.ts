/**
 * A TCP socket of the host as the application of a connection of the stack: what joins the container to the outside.
 *
 * From the container: bytes go to send(2) straight from the frame; what the socket does not take stays in the connection, whose window
 * then shrinks. To the container: bytes stay in the socket's receive queue until the container has acknowledged them
 * (outgoing-bytes.ts). Closing and resets are passed on in both directions, half-closes included.
 */
import type { Connection } from '../tcp/connection.ts';
import type { CloseReason, StreamApplication } from '../tcp/stream-application.ts';
import { ERRNO } from '../sys/errno.ts';
import { addressOf, errno, libc } from '../sys/libc.ts';
import { MESSAGE, SHUT_WR, SOCKET_OPTION, pendingError, resetOnClose, setOption } from '../sys/socket.ts';
import { EPOLL } from './event-loop.ts';
import type { EventLoop, Watch } from './event-loop.ts';
import { outgoingBytes } from './outgoing-bytes.ts';
import type { OutgoingBytes } from './outgoing-bytes.ts';

const EVERYTHING = EPOLL.IN | EPOLL.OUT | EPOLL.RDHUP | EPOLL.ET;

export class HostStream implements StreamApplication {
  readonly #fd: number;
  readonly #connection: Connection;
  readonly #outgoing: OutgoingBytes;
  readonly #watch: Watch;
  /** connect(2) has not ended yet; the connection waits for it to be accepted. */
  #connecting: boolean;
  #open = true;
  /** The last edge of epoll says that there is something to read. */
  #readable = false;
  /** The peer has ended its stream: there is an end to be read behind the data, without an edge of its own. */
  #ending = false;
  /** Bytes of the outgoing stream that were peeked at, from the first one not acknowledged. */
  #seen = 0;
  #sends = 0;

  /** Takes over the socket. `connecting`: its connect(2) is under way, and decides whether the connection is accepted. */
  constructor(loop: EventLoop, fd: number, connection: Connection, connecting: boolean) {
    this.#fd = fd;
    this.#connection = connection;
    this.#connecting = connecting;
    this.#outgoing = outgoingBytes(fd);
    this.#watch = loop.watch(fd, EVERYTHING, (events) => this.#ready(events));
  }

  established(): void {
    this.#connection.pump();
  }

  receive(bytes: Uint8Array, start: number, length: number): number {
    // Nagle's algorithm holds back no first segment; the option is not worth a system call for connections of one request.
    if (++this.#sends === 2) setOption(this.#fd, SOCKET_OPTION.TCP_NODELAY, 1);
    const sent = libc.send(this.#fd, addressOf(bytes) + start, length, MESSAGE.DONTWAIT | MESSAGE.NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno() !== ERRNO.EAGAIN) this.#fail();
    return 0;
  }

  receivedEnd(): void {
    libc.shutdown(this.#fd, SHUT_WR);
  }

  peek(position: number, target: Uint8Array, at: number, length: number): number {
    const fresh = position >= this.#seen;
    if (fresh && !this.#readable) return 0;
    const count = this.#outgoing.peek(position, target, at, length);
    if (count === undefined) {
      this.#fail();
      return 0;
    }
    if (fresh && count >= 0) {
      this.#seen = position + count;
      if (this.#outgoing.isDrained()) this.#readable = this.#ending && count > 0;
    }
    return count;
  }

  acknowledged(count: number): void {
    this.#seen -= count;
    this.#outgoing.acknowledged(count);
  }

  closed(reason: CloseReason): void {
    this.#close(reason !== 'finished');
  }

  #ready(events: number): void {
    if (this.#connecting) {
      this.#connected(events);
      return;
    }
    if ((events & EPOLL.ERR) !== 0) {
      this.#fail();
      return;
    }
    if ((events & (EPOLL.IN | EPOLL.RDHUP)) !== 0) this.#readable = true;
    if ((events & EPOLL.RDHUP) !== 0) this.#ending = true;
    if ((events & EPOLL.OUT) !== 0) this.#connection.resume();
    if (this.#readable && this.#open) this.#connection.pump();
  }

  #connected(events: number): void {
    this.#readable = (events & (EPOLL.IN | EPOLL.RDHUP)) !== 0;
    this.#ending = (events & EPOLL.RDHUP) !== 0;
    const error = (events & (EPOLL.ERR | EPOLL.HUP)) !== 0 ? pendingError(this.#fd) : 0;
    if (error === 0 && (events & EPOLL.OUT) === 0) return;
    this.#connecting = false;
    if (error === 0) {
      this.#connection.accept();
      return;
    }
    this.#close(false);
    refuse(this.#connection, error);
  }

  /** The host's socket is broken: so is the connection. */
  #fail(): void {
    this.#close(true);
    this.#connection.abort();
  }

  #close(reset: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.release();
    if (reset) resetOnClose(this.#fd);
    libc.close(this.#fd);
  }
}

/** Tells the container why connect(2) failed: a refusal by a reset, the rest by ICMP, so that its kernel reports the same error. */
export function refuse(connection: Connection, error: number): void {
  if (error === ERRNO.ECONNREFUSED || error === ERRNO.ECONNRESET) connection.refuse('reset');
  else connection.refuse(error === ERRNO.ENETUNREACH ? 'no-route' : 'unreachable');
}
