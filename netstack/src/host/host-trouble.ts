/** Failures of the host's sockets: counted each, logged once a minute for each kind. */
import { getSystemErrorMap } from 'node:util';
import type { Drops } from '../stack/counters.ts';
import type { TimerQueue } from '../stack/timer-queue.ts';

const INTERVAL_MS = 60_000;

export class HostTrouble {
  readonly #timers: TimerQueue;
  readonly #drops: Drops;
  readonly #log: (message: string) => void;
  readonly #logged = new Map<string, number>();

  constructor(timers: TimerQueue, drops: Drops, log: (message: string) => void) {
    this.#timers = timers;
    this.#drops = drops;
    this.#log = log;
  }

  /** As {@link report}, for an exception of a system call. */
  reportError(what: string, error: unknown): void {
    const number = error instanceof Error && 'errno' in error ? -Number(error.errno) : 0;
    this.report(what, number);
  }

  /** `what` failed with the error number; `advice` says how to mend it. */
  report(what: string, number: number, advice = ''): void {
    this.#drops.hostSocket++;
    const [code, text] = getSystemErrorMap().get(-number) ?? [`E${number}`, 'unknown error'];
    const key = `${what} ${code}`;
    const { now } = this.#timers;
    if (now - (this.#logged.get(key) ?? -Infinity) < INTERVAL_MS) return;
    this.#logged.set(key, now);
    this.#log(`${what}: ${text} (${code})${advice === '' ? '' : `; ${advice}`}`);
  }
}
