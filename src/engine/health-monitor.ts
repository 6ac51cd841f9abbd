/** Runs a container's health check while it runs, and puts what comes of it on record. */
import { rmSync } from 'node:fs';
import { readContainer, type Container } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { replaceFile, type EngineContext } from './context.ts';
import { afterProbe, type Health, healthPath, NEW_HEALTH, probeInterval, readHealth } from './health.ts';
import { probeContainer } from './probe.ts';

export class HealthMonitor {
  readonly #context: EngineContext;
  readonly #container: Container;
  #health: Health;
  #timer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();

  constructor(context: EngineContext, container: Container, health: Health) {
    this.#context = context;
    this.#container = container;
    this.#health = health;
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  get #age(): number {
    return Date.now() - Date.parse(this.#container.state.startedAt ?? '');
  }

  #schedule(): void {
    const wait = probeInterval(this.#health, this.#container.config.health!, this.#age);
    this.#timer = setTimeout(() => {
      this.#probe().catch((error: unknown) => {
        const { name } = this.#container.config;
        this.#context.log(`${name}: its health is not known: ${(error as Error).message}`);
        if (!this.#stop.signal.aborted) this.#schedule();
      });
    }, wait);
  }

  async #probe(): Promise<void> {
    const { folder, config } = this.#container;
    const age = this.#age;
    const probe = await probeContainer(this.#context, this.#container, config.health!, this.#stop.signal);
    // Ended or paused meanwhile: this tells nothing.
    if (this.#stop.signal.aborted) return;
    const before = this.#health.status;
    this.#health = afterProbe(this.#health, probe, config.health!, age);
    replaceFile(healthPath(folder), `${JSON.stringify(this.#health)}\n`);
    if (this.#health.status !== before) {
      recordContainerEvent(this.#context, config, `health_status: ${this.#health.status}`);
    }
    this.#schedule();
  }
}

/** Begins to watch a container that has a health check. @param goOn from what is on record: it has run before */
export function watchHealth(context: EngineContext, container: Container, goOn: boolean): void {
  const { folder, config } = container;
  const { id } = config;
  stopHealthChecks(context, id);
  if (config.health === undefined) return;
  if (!goOn) rmSync(healthPath(folder), { force: true });
  const now = readContainer(context.paths, id) ?? container;
  if (now.state.paused === true && goOn) return;
  context.health.set(id, new HealthMonitor(context, now, (goOn ? readHealth(folder) : undefined) ?? NEW_HEALTH));
}

export function stopHealthChecks(context: EngineContext, id: string): void {
  context.health.get(id)?.stop();
  context.health.delete(id);
}
