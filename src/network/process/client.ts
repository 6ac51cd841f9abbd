/** Talking to a network process, from a process on Node's own event loop. */
import { createConnection, type Socket } from 'node:net';
import { socketAddress } from '../../state/socket-address.ts';
import type { Method, Methods, Refusal, Reply } from './protocol.ts';

/** The network process refused a request. `port` says which one could not be bound. */
export class RefusedError extends Error {
  readonly code: string | undefined;
  readonly port: Refusal['port'];

  constructor({ message, code, port }: Refusal) {
    super(message);
    this.code = code;
    this.port = port;
  }
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class NetworkProcessClient {
  readonly #socket: Socket;
  readonly #patience: number;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor(socket: Socket, patience: number) {
    this.#socket = socket;
    this.#patience = patience;
    let pending = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) this.#receive(line);
    });
    // Its end is told by `close` in any case.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const gone = Object.assign(new Error('The network process has ended'), { code: 'ECONNRESET' });
      for (const { reject, timer } of this.#waiting.values()) {
        clearTimeout(timer);
        reject(gone);
      }
      this.#waiting.clear();
    });
    // The connection alone keeps nobody alive; a request under way does.
    socket.unref();
  }

  /**
   * Connects to the socket of a running process; rejects with ENOENT or ECONNREFUSED where there is none.
   * @param patience how long an answer may take, in ms, before the connection is given up
   */
  static connect(path: string, patience: number): Promise<NetworkProcessClient> {
    return new Promise((resolve, reject) => {
      const address = socketAddress(path);
      const socket = createConnection(address.path);
      socket.once('error', (error) => {
        address[Symbol.dispose]();
        reject(error);
      });
      socket.once('connect', () => {
        address[Symbol.dispose]();
        socket.removeAllListeners('error');
        resolve(new NetworkProcessClient(socket, patience));
      });
    });
  }

  /** Calls `listener` once, when the process has ended or closed the connection, at once if that was before. */
  onClose(listener: () => void): void {
    if (this.#socket.closed) listener();
    else this.#socket.once('close', listener);
  }

  /** One request. Rejects with a RefusedError, or with ECONNRESET when the process ends or hangs before it answers. */
  call<M extends Method>(method: M, params: Methods[M]['params']): Promise<Methods[M]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(Object.assign(new Error('The network process has ended'), { code: 'ECONNRESET' }));
        return;
      }
      const id = ++this.#lastId;
      if (this.#waiting.size === 0) this.#socket.ref();
      const timer = setTimeout(() => this.#socket.destroy(), this.#patience);
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject, timer });
      this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(line: string): void {
    let reply: Reply;
    try {
      reply = JSON.parse(line) as Reply;
    } catch {
      this.#socket.destroy();
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (this.#waiting.size === 0) this.#socket.unref();
    if ('error' in reply) waiting.reject(new RefusedError(reply.error));
    else waiting.resolve(reply.result);
  }
}
