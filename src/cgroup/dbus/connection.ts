import { createConnection, type Socket } from 'node:net';
import { decodeMessage, encodeMessage, type Message, MESSAGE_TYPE } from './message.ts';
import type { Value } from './signature.ts';

/** An error that the other side answered a call with: `name` as `org.freedesktop.systemd1.NoSuchUnit`. */
export class DBusError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message === '' ? name : message);
    this.name = name;
  }
}

export interface MethodCall {
  /** Absent when the other side is the service itself, no bus between. */
  destination?: string;
  path: string;
  interface: string;
  member: string;
  signature?: string;
  body?: readonly Value[];
}

interface Waiting {
  resolve: (body: readonly Value[]) => void;
  reject: (error: Error) => void;
}

/**
 * A client of one D-Bus connection: method calls, and signals to whoever listens. Authenticates by SASL EXTERNAL, that
 * is by the socket's peer credentials; passes no file descriptors.
 */
export class DBusConnection {
  readonly #socket: Socket;
  readonly #calls = new Map<number, Waiting>();
  readonly #listeners = new Set<(signal: Message) => void>();
  #buffered: Buffer = Buffer.alloc(0);
  #serial = 0;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('D-Bus connection closed')));
  }

  /** Connects to the unix socket at `path` (an abstract one begins with NUL) and authenticates as `uid`. */
  static async open(path: string, uid: number, timeoutMs: number): Promise<DBusConnection> {
    const socket = createConnection({ path });
    try {
      const rest = await authenticate(socket, uid, timeoutMs);
      const connection = new DBusConnection(socket);
      if (rest.length > 0) connection.#receive(rest);
      return connection;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Calls a method; resolves with the values returned, rejects with `DBusError` or when the time is over. */
  call(call: MethodCall, timeoutMs: number): Promise<readonly Value[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Value[]>();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const serial = ++this.#serial;
    const late = setTimeout(() => {
      this.#calls.delete(serial);
      reject(new Error(`no answer to ${call.interface}.${call.member} within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#calls.set(serial, { resolve, reject });
    this.#socket.write(encodeMessage({ body: [], ...call, type: MESSAGE_TYPE.METHOD_CALL, serial }));
    return promise.finally(() => clearTimeout(late));
  }

  /** Calls `listener` with each signal that arrives, until the returned function is called. */
  onSignal(listener: (signal: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    try {
      for (let next = decodeMessage(this.#buffered); next !== undefined; next = decodeMessage(this.#buffered)) {
        this.#buffered = this.#buffered.subarray(next.length);
        this.#dispatch(next.message);
      }
    } catch (error) {
      this.#fail(error as Error);
      this.#socket.destroy();
    }
  }

  #dispatch(message: Message): void {
    if (message.type === MESSAGE_TYPE.SIGNAL) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const waiting = this.#calls.get(message.replySerial ?? 0);
    if (waiting === undefined) return;
    this.#calls.delete(message.replySerial!);
    if (message.type !== MESSAGE_TYPE.ERROR) {
      waiting.resolve(message.body);
      return;
    }
    const [text] = message.body;
    waiting.reject(new DBusError(message.errorName ?? 'unknown error', typeof text === 'string' ? text : ''));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

/** D-Bus specification, "Authentication Protocol": resolves with what came after the server's last line. */
function authenticate(socket: Socket, uid: number, timeoutMs: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let received: Buffer = Buffer.alloc(0);

  function onData(chunk: Buffer): void {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf('\r\n');
    if (end < 0) {
      if (received.length > 4096) reject(new Error('not a D-Bus server'));
    } else if (received.toString('latin1', 0, end).startsWith('OK ')) {
      socket.write('BEGIN\r\n');
      resolve(received.subarray(end + 2));
    } else {
      reject(new Error(`D-Bus server refuses uid ${uid}: ${received.toString('latin1', 0, end)}`));
    }
  }

  function onClose(): void {
    reject(new Error('D-Bus server closed the connection'));
  }

  const late = setTimeout(() => reject(new Error(`D-Bus server did not answer within ${timeoutMs} ms`)), timeoutMs);
  socket.on('data', onData).once('error', reject).once('close', onClose);
  socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(uid)).toString('hex')}\r\n`);
  return promise.finally(() => {
    clearTimeout(late);
    socket.off('data', onData).off('error', reject).off('close', onClose);
  });
}
