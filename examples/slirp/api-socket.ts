/**
 * The API socket of slirp4netns: one JSON request for each connection, one JSON reply.
 *
 *     {"execute": "add_hostfwd", "arguments": {"proto": "tcp", "host_addr": "0.0.0.0", "host_port": 8080, "guest_port": 80}}
 *     {"execute": "list_hostfwd"}      {"execute": "remove_hostfwd", "arguments": {"id": 1}}
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { acceptUnix, listenUnix } from 'netstack';
import type { EventLoop, Gateway, PublishOptions, PublishedPort } from 'netstack';

/** Bytes of a request. */
const MAX_REQUEST = 4096;

interface Forward extends PublishOptions {
  readonly port: PublishedPort;
}

type Arguments = Readonly<Record<string, unknown>>;

export class ApiSocket {
  readonly #loop: EventLoop;
  readonly #gateway: Gateway;
  readonly #guest: string;
  readonly #forwards = new Map<number, Forward>();
  #lastId = 0;

  /** Listens at `path`; throws Node-shaped errors. `guest`: where ports lead by default. */
  constructor(loop: EventLoop, gateway: Gateway, path: string, guest: string) {
    this.#loop = loop;
    this.#gateway = gateway;
    this.#guest = guest;
    const listener = listenUnix(path);
    loop.add(listener, () => {
      const fd = acceptUnix(listener);
      if (fd !== undefined) this.#serve(fd);
    });
  }

  #serve(fd: number): void {
    const buffer = Buffer.alloc(MAX_REQUEST);
    let length = 0;
    function finish(reply: object): void {
      watch.close();
      try {
        writeSync(fd, JSON.stringify(reply));
      } catch {
        // Whoever asked has gone.
      }
      closeSync(fd);
    }
    const watch = this.#loop.add(fd, () => {
      let count: number;
      try {
        count = readSync(fd, buffer, length, MAX_REQUEST - length, null);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        count = 0;
      }
      length += count;
      const request = parsed(buffer.toString('utf8', 0, length));
      if (request !== undefined) finish(this.#answer(request));
      else if (length === MAX_REQUEST) finish(refusal('bad request: too large message'));
      else if (count === 0) finish(refusal('bad request: cannot parse JSON'));
    });
  }

  #answer(request: unknown): object {
    const { execute, arguments: given } = (request ?? {}) as { execute?: unknown; arguments?: unknown };
    const values = (typeof given === 'object' && given !== null ? given : {}) as Arguments;
    if (execute === undefined) return refusal('bad request: no execute found');
    if (execute === 'list_hostfwd') return { return: { entries: this.#list() } };
    if (execute === 'add_hostfwd') return this.#add(values);
    if (execute === 'remove_hostfwd') return this.#remove(values);
    return refusal('bad request: unknown execute');
  }

  #add({ proto, host_addr: host = '0.0.0.0', guest_addr: guest = this.#guest, ...ports }: Arguments): object {
    const what = 'bad request: add_hostfwd: bad arguments';
    if (proto !== 'tcp' && proto !== 'udp') return refusal(`${what}.proto`);
    if (typeof host !== 'string') return refusal(`${what}.host_addr`);
    if (typeof guest !== 'string') return refusal(`${what}.guest_addr`);
    const { host_port: hostPort, guest_port: containerPort } = ports;
    if (!isPort(hostPort)) return refusal(`${what}.host_port`);
    if (!isPort(containerPort)) return refusal(`${what}.guest_port`);
    const options = { protocol: proto, hostAddress: host, hostPort, containerAddress: guest, containerPort } as const;
    try {
      const port = this.#gateway.publish(options);
      this.#forwards.set(++this.#lastId, { ...options, port });
      return { return: { id: this.#lastId } };
    } catch (error) {
      return refusal(`bad request: add_hostfwd: ${(error as Error).message}`);
    }
  }

  #remove({ id }: Arguments): object {
    const forward = this.#forwards.get(id as number);
    if (forward === undefined) return refusal('bad request: remove_hostfwd: bad arguments.id');
    forward.port.close();
    this.#forwards.delete(id as number);
    return { return: {} };
  }

  #list(): object[] {
    return [...this.#forwards].map(([id, { protocol, hostAddress, hostPort, containerAddress, containerPort }]) => ({
      id,
      proto: protocol,
      host_addr: hostAddress,
      host_port: hostPort,
      guest_addr: containerAddress,
      guest_port: containerPort,
    }));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 0xffff;
}

function refusal(desc: string): object {
  return { error: { desc } };
}
