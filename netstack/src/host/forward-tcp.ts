/** Connections of containers to the outside: each becomes a socket of the host. */
import type { Connection } from '../tcp/connection.ts';
import { ERRNO } from '../sys/errno.ts';
import { errno, libc } from '../sys/libc.ts';
import { connectSocket, tcpSocket } from '../sys/socket.ts';
import type { EventLoop } from './event-loop.ts';
import { HostStream, refuse } from './host-stream.ts';
import type { HostTrouble } from './host-trouble.ts';
import type { Translation } from './translation.ts';

export class TcpForwarder {
  readonly #loop: EventLoop;
  readonly #translation: Translation;
  readonly #trouble: HostTrouble;

  constructor(loop: EventLoop, translation: Translation, trouble: HostTrouble) {
    this.#loop = loop;
    this.#translation = translation;
    this.#trouble = trouble;
  }

  /** Decides about a connection whose SYN came; its local address is where the container wants to go. */
  forward(connection: Connection): void {
    const address = this.#translation.outward(connection.local, connection.remote, 'tcp', connection.localPort);
    if (!address) {
      // Ours, and kept from containers: no way leads there. Any other was forbidden.
      connection.refuse(this.#translation.isOurs(connection.local) ? 'no-route' : 'reset');
      return;
    }
    const fd = tcpSocket(address.version);
    if (fd < 0) {
      this.#trouble.report('socket', errno());
      connection.refuse('unreachable');
      return;
    }
    const error = connectSocket(fd, { address, port: connection.localPort });
    if (error !== 0 && error !== ERRNO.EINPROGRESS) {
      libc.close(fd);
      refuse(connection, error);
      return;
    }
    try {
      connection.app = new HostStream(this.#loop, fd, connection, true);
    } catch (problem) {
      libc.close(fd);
      connection.refuse('unreachable');
      this.#trouble.reportError('Cannot watch a connection', problem);
    }
  }
}
