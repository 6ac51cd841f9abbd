/**
 * A network's process as the agent sees it: always there. It is started when it is first needed, and started again when
 * it is gone while containers are in service, which are then told to the new one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../base/error-code.ts';
import type { BoundPort } from './port-mapping.ts';
import type { NetworkProcessClient } from './process/client.ts';
import type { Methods, ProcessEndpoint } from './process/protocol.ts';

export interface NetworkServiceOptions {
  /** Finds the process if it runs. */
  readonly find: () => Promise<NetworkProcessClient | undefined>;
  /** Finds or starts the process and joins its TAP to the bridge. */
  readonly connect: () => Promise<NetworkProcessClient>;
  /** Whether the hub is still there: without it there is nothing to be served. */
  readonly hasHub: () => boolean;
  /** A process that could not be started again, in words. */
  readonly log: (message: string) => void;
}

/** The pause before a process is started again that has failed to start or has ended at once, in ms: it doubles. */
const pauses = { first: 50, last: 5000 } as const;
/** What has lived for longer, in ms, is replaced at once. */
const shortLife = 2000;

export class NetworkService {
  readonly #options: NetworkServiceOptions;
  /** What is in service, with the ports as they were bound. */
  readonly #endpoints = new Map<string, ProcessEndpoint>();
  #client: Promise<NetworkProcessClient> | undefined;
  #pause = 0;
  #closed = false;

  constructor(options: NetworkServiceOptions) {
    this.#options = options;
  }

  /** Puts a container in service. Rejects with a RefusedError, with none of its ports bound. */
  async add(endpoint: ProcessEndpoint): Promise<BoundPort[]> {
    const { ports } = await this.#withClient((client) => client.call('add', { endpoint }));
    this.#endpoints.set(endpoint.container, { ...endpoint, ports });
    return ports;
  }

  /** How many containers are in service. */
  get size(): number {
    return this.#endpoints.size;
  }

  serves(container: string): boolean {
    return this.#endpoints.has(container);
  }

  /** Other names for a container in service, whose ports stay as they are. */
  async update(endpoint: ProcessEndpoint): Promise<void> {
    const { ports } = this.#endpoints.get(endpoint.container) ?? endpoint;
    const changed = { ...endpoint, ports };
    this.#endpoints.set(endpoint.container, changed);
    await this.#withClient((client) => client.call('update', { endpoint: changed }));
  }

  /** What flows through it; undefined where nothing serves the network. Starts no process for that. */
  async flows(): Promise<Methods['flows']['result'] | undefined> {
    try {
      const client = await this.#client;
      return await client?.call('flows', {});
    } catch (error) {
      if (errorCode(error) !== 'ECONNRESET') throw error;
      return undefined;
    }
  }

  /** Ends the process: the network is removed. */
  async leave(): Promise<void> {
    this.#closed = true;
    const client = (await this.#client?.catch(() => undefined)) ?? (await this.#options.find());
    try {
      await client?.call('leave', {});
    } catch (error) {
      if (errorCode(error) !== 'ECONNRESET') throw error;
    } finally {
      client?.close();
    }
  }

  /** Takes a container out of service. Starts no process for that. */
  async remove(container: string): Promise<void> {
    if (!this.#endpoints.delete(container)) return;
    try {
      const client = await this.#client;
      await client?.call('remove', { container });
    } catch (error) {
      // A process that has ended serves nobody.
      if (errorCode(error) !== 'ECONNRESET') throw error;
    }
  }

  /** Serves exactly these, with the ports that they had. With none, starts no process for that. */
  async recover(endpoints: readonly ProcessEndpoint[]): Promise<void> {
    this.#endpoints.clear();
    for (const endpoint of endpoints) this.#endpoints.set(endpoint.container, endpoint);
    // Connecting tells it.
    if (endpoints.length > 0) await this.#withClient(() => Promise.resolve());
    else await this.#tellOfNobody();
  }

  /** Lets go of the process, which stays. */
  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  /** A process that ends under a request has done nothing that lasts: ask the next one. */
  async #withClient<T>(use: (client: NetworkProcessClient) => Promise<T>): Promise<T> {
    try {
      return await use(await this.#connected());
    } catch (error) {
      if (errorCode(error) !== 'ECONNRESET') throw error;
      return use(await this.#connected());
    }
  }

  #connected(): Promise<NetworkProcessClient> {
    const client = (this.#client ??= this.#connect());
    client.catch(() => {
      if (this.#client === client) this.#client = undefined;
    });
    return client;
  }

  async #tellOfNobody(): Promise<void> {
    const client = await this.#options.find();
    try {
      await client?.call('synchronize', { endpoints: [] });
    } catch (error) {
      if (errorCode(error) !== 'ECONNRESET') throw error;
    } finally {
      client?.close();
    }
  }

  async #connect(): Promise<NetworkProcessClient> {
    const client = await this.#options.connect();
    await client.call('synchronize', { endpoints: [...this.#endpoints.values()] });
    const since = performance.now();
    client.onClose(() => {
      this.#client = undefined;
      void this.#restart(performance.now() - since < shortLife ? this.#pause : 0);
    });
    return client;
  }

  async #restart(pause: number): Promise<void> {
    this.#pause = Math.min(Math.max(2 * pause, pauses.first), pauses.last);
    if (pause > 0) await sleep(pause, undefined, { ref: false });
    if (this.#closed || this.#endpoints.size === 0) return;
    if (!this.#options.hasHub()) {
      this.#options.log('The holder has ended: its containers have no network until they are started again');
      return;
    }
    try {
      await this.#connected();
    } catch (error) {
      this.#options.log(`Cannot restart the network process: ${(error as Error).message}`);
      await this.#restart(this.#pause);
    }
  }
}
