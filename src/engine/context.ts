/** What the engine's use cases share, in the process that runs containers: the agent. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { ensureHolder, type Holder } from '../holder/holder.ts';
import { Networks } from '../network/networks.ts';
import { writeJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import type { Poller } from '../sys/poller.ts';
import { isAlive } from '../sys/process-identity.ts';
import type { Container, ContainerConfig, ContainerState } from './container.ts';
import { openEngineImages, type EngineImages } from './images.ts';
import type { HealthMonitor } from './health-monitor.ts';
import { RestartTimers } from './restart-timers.ts';
import type { RunningContainer } from './running-container.ts';

interface EngineEvents {
  /** A container is gone. */
  removed: [id: string];
  /** A container has ended, or does not wait for its restart any more, and its state is on disk. */
  ended: [id: string, state: ContainerState];
}

export class EngineContext {
  readonly paths: StatePaths;
  readonly poller: Poller;
  readonly images: EngineImages;
  readonly running = new Map<string, RunningContainer>();
  /** Containers that somebody is attached to from their start on: each with what settles when they have let go. */
  readonly attended = new Map<string, Promise<void>>();
  /** Removals of containers that remove themselves. */
  readonly removals = new Map<string, Promise<void>>();
  /** Containers that wait for their restart. */
  readonly restarts = new RestartTimers();
  /** The health checks of running containers that have one. */
  readonly health = new Map<string, HealthMonitor>();
  readonly events = new EventEmitter<EngineEvents>();
  /** For what a user of the agent's log should know. */
  readonly log: (message: string) => void;
  readonly #warned = new Set<string>();
  readonly #warnings: string[] = [];
  #holder: Promise<Holder> | undefined;
  #networks: { readonly holder: Holder; readonly networks: Networks } | undefined;
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(paths: StatePaths, poller: Poller, log: (message: string) => void) {
    this.paths = paths;
    this.poller = poller;
    this.log = log;
    this.images = openEngineImages(paths);
    this.events.setMaxListeners(0);
  }

  /** The user's holder, started when it is needed and again when it has been killed. */
  async holder(): Promise<Holder> {
    if (this.#holder !== undefined) {
      const holder = await this.#holder.catch(() => undefined);
      if (holder !== undefined && isAlive(holder.process)) return holder;
    }
    this.#holder = ensureHolder(this.paths);
    return this.#holder;
  }

  /** What users should know of this host, once each. */
  async takeWarnings(): Promise<string[]> {
    const { map } = await this.holder();
    if (map.isUnexpected === true)
      this.warn(`${map.reason ?? ''}: containers have a single user id, yours, shown as root`);
    return this.#warnings.splice(0);
  }

  /** Has the next `takeWarnings` say it, unless it has been said. */
  readonly warn = (message: string): void => {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#warnings.push(message);
  };

  /** The user's networks, in the holder's hub. */
  async networks(): Promise<Networks> {
    const holder = await this.holder();
    if (this.#networks?.holder !== holder) {
      await this.#networks?.networks[Symbol.asyncDispose]();
      const networks = new Networks({ paths: this.paths, holder, log: this.log });
      this.#networks = { holder, networks };
    }
    return this.#networks.networks;
  }

  /** Runs one piece of work on a container after another. */
  async exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(id);
    const now = (async () => {
      await before?.catch(() => undefined);
      return work();
    })();
    this.#queues.set(id, now);
    try {
      return await now;
    } finally {
      if (this.#queues.get(id) === now) this.#queues.delete(id);
    }
  }

  /** Whether there is anything to stay for: containers, or work on one, as a start by its restart policy. */
  get isBusy(): boolean {
    return this.running.size > 0 || this.restarts.isBusy || this.#queues.size > 0;
  }

  async close(): Promise<void> {
    await this.#networks?.networks[Symbol.asyncDispose]();
    this.poller.close();
  }
}

/**
 * Puts a container's state on record. A container that goes when it ends has nothing to survive a crash of the machine
 * for: its record is safe against kill -9, without waiting for the disk.
 */
export function saveState({ folder, config }: Pick<Container, 'folder' | 'config'>, state: ContainerState): void {
  save(join(folder, 'state.json'), state, config);
}

export function saveConfig(folder: string, config: ContainerConfig): void {
  save(join(folder, 'config.json'), config, config);
}

function save(path: string, value: unknown, config: ContainerConfig): void {
  if (config.request.autoRemove) replaceFile(path, `${JSON.stringify(value)}\n`);
  else writeJson(path, value);
}

/** Replaces a file whole, safe against kill -9 but not against a crash of the machine. */
export function replaceFile(path: string, content: string): void {
  const temporary = `${path}.tmp`;
  try {
    writeFileSync(temporary, content, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
