import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfCancelled } from '../image-error.ts';
import { RegistryError } from './registry-error.ts';

export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Milliseconds before the second try; doubled each time, up to `longestDelay`, give or take a quarter. */
  readonly firstDelay: number;
  readonly longestDelay: number;
}

/** Told before a pause, with its length in milliseconds. */
export type OnWait = (milliseconds: number) => void;

export const defaultRetryPolicy: RetryPolicy = { attempts: 5, firstDelay: 500, longestDelay: 15_000 };

/** A registry may ask for more patience than anybody has. */
const LONGEST_RETRY_AFTER = 60_000;

/** Waits before try number `tried` + 1, or throws `error` where there is no further one. */
export async function waitOrGiveUp(
  error: unknown,
  tried: number,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  onWait?: OnWait,
): Promise<void> {
  throwIfCancelled(signal);
  const asked = error instanceof RegistryError ? error.retryAfter : undefined;
  if (!(error instanceof RegistryError) || !error.isTransient || tried >= policy.attempts) throw error;
  if (asked !== undefined && asked > LONGEST_RETRY_AFTER) throw error;
  const backoff = Math.min(policy.firstDelay * 2 ** (tried - 1), policy.longestDelay);
  const jittered = backoff * (0.75 + Math.random() / 2);
  const wait = Math.max(jittered, asked ?? 0);
  onWait?.(wait);
  await sleep(wait, undefined, signal && { signal }).catch((cause: unknown) => {
    throwIfCancelled(signal);
    throw cause;
  });
}

/** Runs `operation` until it succeeds, fails for good, or the policy is used up. */
export async function withRetries<T>(
  operation: () => Promise<T>,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await operation();
    } catch (error) {
      await waitOrGiveUp(error, tried, policy, signal);
    }
  }
}
