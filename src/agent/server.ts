/** The agent's socket: one request a connection, a JSON line, with fds where the request has some; a JSON line back. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { agentBuild } from '../base/install.ts';
import type { EngineContext } from '../engine/context.ts';
import { EngineError } from '../engine/engine-error.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import { socketAddress } from '../state/socket-address.ts';
import { receiveWithFds } from '../sys/fd-passing.ts';
import { errorCode } from '../base/error-code.ts';
import { acceptUnix, listenUnix } from '../sys/unix-listener.ts';
import { handlers, type AnyRequest, type Connection } from './handlers.ts';

/** Who asks: its build, and how to start an agent of it. */
interface Client {
  readonly build: string;
  readonly command: readonly string[];
}

/** As the agent is started (main.ts). */
const LOCK_FD = 3;

/** A request has mounts, environment and labels in it, and may be long; nobody's is longer than this. */
const MAX_REQUEST = 4 << 20;

export class AgentServer {
  readonly #context: EngineContext;
  #listener: number | undefined;
  #requests = 0;
  /** Requests that have not been answered yet, but for those that wait for a container. */
  #working = 0;
  readonly #build = agentBuild();
  #handedOver: Promise<void> | undefined;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Whether a request is under way. */
  get busy(): boolean {
    return this.#requests > 0;
  }

  listen(): void {
    using address = socketAddress(this.#path);
    this.#listener = listenUnix(address.path);
    this.#context.poller.watch(this.#listener, () => this.#accept());
  }

  /** New clients find nobody and start another agent. */
  close(): void {
    if (this.#listener === undefined) return;
    rmSync(this.#path, { force: true });
    this.#context.poller.unwatch(this.#listener);
    closeSync(this.#listener);
    this.#listener = undefined;
  }

  get #path(): string {
    return join(this.#context.paths.run, 'agent.sock');
  }

  #isOther(client: Client | undefined): client is Client {
    return client !== undefined && client.build !== this.#build;
  }

  /**
   * Makes way for an agent of the client's build: containers live on with their monitors. The lock goes over with its fd,
   * so that no monitor starts another one in between.
   */
  #handOver({ command: [program = '', ...args] }: Client): Promise<void> {
    this.#handedOver ??= (async () => {
      this.close();
      // What is under way is finished; requests that were told of this are none of it.
      while (this.#working > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      const log = openSync(join(this.#context.paths.run, 'agent.log'), 'a', 0o600);
      const child = spawn(program, args, { stdio: ['ignore', log, log, LOCK_FD], detached: true, cwd: '/' });
      child.on('error', (error) => this.#context.log(`cannot hand over: ${error.message}`));
      child.unref();
      // The answers that are written by then are with their clients.
      setTimeout(() => process.exit(0), 0);
    })();
    return this.#handedOver;
  }

  #accept(): void {
    for (let fd; (fd = acceptUnix(this.#listener!)) !== undefined;) this.#receive(fd);
  }

  /** Collects the line; fds may come with any piece of it. */
  #receive(connection: number): void {
    const { poller } = this.#context;
    let line = Buffer.alloc(0);
    const fds: number[] = [];
    function giveUp(): void {
      poller.unwatch(connection);
      for (const fd of [connection, ...fds]) closeSync(fd);
    }
    poller.watch(connection, () => {
      try {
        const { data, fds: more } = receiveWithFds(connection, 1 << 16);
        fds.push(...more);
        line = Buffer.concat([line, data]);
        if (data.length === 0 || line.length > MAX_REQUEST) return giveUp();
      } catch (error) {
        if (errorCode(error) !== 'EAGAIN') giveUp();
        return;
      }
      if (line.at(-1) !== 0x0a) return;
      poller.unwatch(connection);
      void this.#answer(connection, line.toString('utf8'), fds);
    });
  }

  async #answer(fd: number, line: string, fds: readonly number[]): Promise<void> {
    this.#requests++;
    this.#working++;
    let isWorking = true;
    const settle = (): void => {
      if (isWorking) this.#working--;
      isWorking = false;
    };
    const socket = new Socket({ fd, allowHalfOpen: true });
    // A client that has gone away is no concern of the request's.
    socket.on('error', () => undefined);
    const connection: Connection = {
      fds,
      say: (value) => {
        settle();
        if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
      },
      closed: new Promise((resolve) => {
        socket.once('end', resolve);
        socket.once('close', resolve);
      }),
    };
    socket.resume();
    try {
      const request = JSON.parse(line) as AnyRequest & { readonly from?: Client };
      if (this.#isOther(request.from)) {
        connection.say({ handover: true });
        await this.#handOver(request.from);
        return;
      }
      // A client of another version may ask for what this one does not know.
      if (!Object.hasOwn(handlers, request.method)) {
        throw new EngineError('INVALID', `the agent does not know the request ${JSON.stringify(request.method)}`);
      }
      if (request.method === 'wait') settle();
      const handler = handlers[request.method];
      await handler(this.#context, request.params as never, connection);
    } catch (error) {
      connection.say({ error: describeError(error) });
      if (!(error instanceof EngineError)) this.#context.log(`request failed: ${(error as Error).stack ?? ''}`);
    } finally {
      settle();
      socket.end();
      for (const each of fds) closeSync(each);
      this.#requests--;
    }
  }
}

function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof EngineError) return { code: error.code, message: error.message };
  if (error instanceof InvalidInput) return { code: 'INVALID', message: error.message };
  return { code: 'FAILED', message: error instanceof Error ? error.message : String(error) };
}
