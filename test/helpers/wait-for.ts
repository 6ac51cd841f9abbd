import { setTimeout as sleep } from 'node:timers/promises';

interface Patience {
  /** Milliseconds until it gives up. */
  readonly timeout?: number;
  /** Milliseconds between two tries. */
  readonly interval?: number;
}

/**
 * Tries `probe` until it returns something other than undefined, null and false, and returns that.
 * @param what names what is awaited, for the message
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeout = 15_000, interval = 50 }: Patience = {},
): Promise<Exclude<T, undefined | null | false>> {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== null && found !== false) {
      return found as Exclude<T, undefined | null | false>;
    }
    if (Date.now() > end) throw new Error(`Waited ${timeout / 1000} s in vain for ${what}`);
    await sleep(interval);
  }
}
