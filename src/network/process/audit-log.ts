/** Puts decisions about containers' flows on record: `egress.log` in the container's folder, a JSON object a line. */
import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EgressDecision } from './egress.ts';

/** A log that has grown beyond this, in bytes, becomes `egress.log.1`. */
const maxLog = 1024 * 1024;
/** The same decision again within this time, in ms, is counted instead of written. */
const quiet = 1000;
const maxRecent = 1024;

export class AuditLog {
  readonly #containers: string;
  /** Decision -> when it was written last, and how often it came since. */
  readonly #recent = new Map<string, { at: number; repeated: number }>();

  /** @param containers the folder of containers' folders */
  constructor(containers: string) {
    this.#containers = containers;
  }

  record(decision: EgressDecision): void {
    const now = Date.now();
    const key = JSON.stringify(decision);
    const before = this.#recent.get(key);
    if (before !== undefined && now - before.at < quiet) {
      before.repeated++;
      return;
    }
    this.#recent.delete(key);
    this.#recent.set(key, { at: now, repeated: 0 });
    if (this.#recent.size > maxRecent) this.#recent.delete(this.#recent.keys().next().value!);
    const { container, ...rest } = decision;
    const repeated = before === undefined || before.repeated === 0 ? {} : { repeated: before.repeated };
    this.#append(container, `${JSON.stringify({ time: new Date(now).toISOString(), ...rest, ...repeated })}\n`);
  }

  #append(container: string, line: string): void {
    const path = join(this.#containers, container, 'egress.log');
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (size + line.length > maxLog) renameSync(path, `${path}.1`);
      appendFileSync(path, line, { mode: 0o600 });
    } catch {
      // The container is being removed, or the disk is full: the decision holds all the same.
    }
  }
}
